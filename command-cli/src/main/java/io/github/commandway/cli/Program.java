package io.github.commandway.cli;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.security.CodeSource;
import java.time.Clock;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The jar that this program is, and the one before it, which lies beside it. At each moment there is a whole jar in its place. */
final class Program {
    private static final String PREVIOUS = ".previous";
    private static final long LONGEST_TRIAL_SECONDS = 60;

    private final Path jar;

    Program(Path jar) {
        this.jar = jar;
    }

    /**
     * The jar that runs.
     *
     * @throws UsageException if it is none
     */
    static Program ofThisProcess() throws IOException {
        @Nullable CodeSource source = Commandway.class.getProtectionDomain().getCodeSource();
        try {
            Path path =
                    source == null ? Path.of("") : Path.of(source.getLocation().toURI());
            if (Files.isRegularFile(path)) {
                return new Program(path.toRealPath());
            }
        } catch (URISyntaxException e) {
            throw new IOException(e);
        }
        throw new UsageException("this program does not run from a jar, so there is none that could be exchanged");
    }

    /** A file beside the jar that is not there yet. */
    Path freshFile() {
        return beside("." + UUID.randomUUID() + ".part");
    }

    private Path beside(String end) {
        return jar.resolveSibling(jar.getFileName() + end);
    }

    /**
     * Puts another jar in the place of this one, which is kept as the one before. That one is tried first.
     *
     * @param fresh is moved away
     * @param version that it should have
     * @throws ApiException if it cannot be run here, or is another version; nothing was changed
     */
    void exchange(Path fresh, String version) throws IOException, InterruptedException {
        String found = versionOf(fresh);
        if (!found.equals(version)) {
            throw new ApiException(
                    ExitCode.FAILED,
                    "the program that came as " + version + " says that it is '" + found + "'; nothing was changed",
                    null);
        }
        Path copy = freshFile();
        try {
            Files.copy(jar, copy, StandardCopyOption.COPY_ATTRIBUTES);
            moveOver(copy, beside(PREVIOUS));
            moveOver(fresh, jar);
        } finally {
            Files.deleteIfExists(copy);
        }
    }

    /**
     * Puts the jar that was there before in the place of this one, and this one in its place.
     *
     * @return its version
     * @throws UsageException if there is none
     */
    String rollBack() throws IOException, InterruptedException {
        Path previous = beside(PREVIOUS);
        if (!Files.isRegularFile(previous)) {
            throw new UsageException("there is no version before: no upgrade has left " + previous);
        }
        Path fresh = freshFile();
        try {
            Files.copy(previous, fresh);
            String version = versionOf(fresh);
            exchange(fresh, version);
            return version;
        } finally {
            Files.deleteIfExists(fresh);
        }
    }

    /** On Windows a jar that runs cannot be exchanged. */
    private static void moveOver(Path from, Path to) throws IOException {
        // newer than the sources from which the one before was built
        Files.setLastModifiedTime(from, FileTime.from(Clock.systemUTC().instant()));
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            throw e;
        } catch (FileSystemException e) {
            throw new ApiException(
                    ExitCode.FAILED,
                    to + " cannot be exchanged: " + e.getMessage() + "; is it running, or somebody else's?",
                    e);
        }
    }

    /** Runs it to see what it is. */
    private static String versionOf(Path jar) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-jar",
                        jar.toString(),
                        "--version")
                .redirectErrorStream(true)
                .start();
        try {
            process.getOutputStream().close();
            if (!process.waitFor(LONGEST_TRIAL_SECONDS, TimeUnit.SECONDS)) {
                throw new ApiException(
                        ExitCode.FAILED, "the new program does not answer --version; nothing was changed", null);
            }
            String said = new String(process.getInputStream().readNBytes(10_000), StandardCharsets.UTF_8);
            String first = said.lines().findFirst().orElse("");
            if (process.exitValue() != 0 || !first.startsWith("commandway ")) {
                throw new ApiException(
                        ExitCode.FAILED,
                        "the new program cannot be run here: " + said.strip() + "; nothing was changed",
                        null);
            }
            return first.substring("commandway ".length());
        } finally {
            process.destroyForcibly();
        }
    }
}
