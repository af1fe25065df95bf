package io.github.commandway.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/** A temporary directory with a certificate authority in it, which is deleted at the end. */
final class BenchDirectory implements AutoCloseable {

    private final Path path;
    private final Issuer issuer;

    private BenchDirectory(Path path) throws IOException {
        this.path = path;
        this.issuer = new Issuer(path);
    }

    static BenchDirectory create() throws IOException {
        return new BenchDirectory(Files.createTempDirectory("commandway-bench"));
    }

    Path path() {
        return path;
    }

    Issuer issuer() {
        return issuer;
    }

    @Override
    public void close() throws IOException {
        try (Stream<Path> files = Files.walk(path)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }
}
