package io.github.commandway.tools;

import io.github.commandway.testing.ManualTime;
import java.io.IOException;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;

/** A repository with tools in a folder, and a catalogue that gets its tools from there. */
final class RepositoryFixture {
    static final Duration WEEK = Duration.ofDays(7);

    final Path folder;
    final Path published;
    final Path sources;
    final Path memory;
    final ManualTime time = new ManualTime();
    final SecureRandom random = new SecureRandom();
    final KeyPair keys = RepositoryKeys.generate(random);
    final RepositoryWriter writer;
    final ToolCatalog catalog;

    RepositoryFixture(Path folder) throws IOException {
        this.folder = folder;
        published = folder.resolve("published");
        sources = folder.resolve("sources");
        memory = folder.resolve("memory");
        writer = open(published);
        catalog = ToolCatalog.open(folder.resolve("catalogue"));
    }

    /** Publishes a tool that says its version. */
    Artifact publish(String name, String version) throws IOException {
        Path source = sources.resolve(name + "-" + version);
        ToolFixture.write(source, "main.sh", "#!/bin/sh\necho " + version + "\n");
        ToolFixture.write(source, "tool.yaml", "command: [main.sh]\n");
        ToolFixture.write(source, "data/words.txt", "one two " + version + "\n");
        Artifact artifact = writer.addTool(name, version, source, List.of(), List.of());
        writer.publish(WEEK);
        return artifact;
    }

    RepositoryWriter open(Path repository) throws IOException {
        return RepositoryWriter.open(repository, keys, time.clock(), random);
    }

    SignedRepository repository() {
        return repository(published);
    }

    SignedRepository repository(Path at) {
        return SignedRepository.builder(at.toUri(), keys.getPublic(), memory)
                .clock(time.clock())
                .build();
    }

    ToolInstaller installer() {
        return ToolInstaller.builder(catalog, repository()).clock(time.clock()).build();
    }

    /** Where a version is in the catalogue. */
    Path installed(String name, String version) {
        return folder.resolve("catalogue/tools").resolve(name).resolve(version);
    }
}
