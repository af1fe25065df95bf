package io.github.commandway.tools;

import java.time.Instant;
import java.util.List;

/**
 * A file in a repository, as the signed index describes it: a tool in one version, packed as {@code .tar.gz} or {@code .zip}, or any other file such as a program.
 *
 * @param name of the tool or program
 * @param version its version
 * @param file its path from the index
 * @param size in bytes
 * @param sha256 of its content, 64 hexadecimal digits
 * @param os the systems that it is for, of {@code linux}, {@code windows} and {@code mac}; empty for all
 * @param arch the processors that it is for, such as {@code x86_64} and {@code aarch64}; empty for all
 * @param published when it was added
 */
public record Artifact(
        String name,
        String version,
        String file,
        long size,
        String sha256,
        List<String> os,
        List<String> arch,
        Instant published) {
    /** Copies the lists. */
    public Artifact {
        os = List.copyOf(os);
        arch = List.copyOf(arch);
    }

    /** {@code name version}. */
    @Override
    public String toString() {
        return name + " " + version;
    }
}
