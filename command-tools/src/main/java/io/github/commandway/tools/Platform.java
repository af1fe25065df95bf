package io.github.commandway.tools;

import java.util.Locale;
import java.util.Map;

/**
 * A kind of machine.
 *
 * @param os {@code linux}, {@code windows} or {@code mac}
 * @param arch such as {@code x86_64} or {@code aarch64}
 */
record Platform(String os, String arch) {
    private static final Map<String, String> SAME = Map.of("amd64", "x86_64", "x64", "x86_64", "arm64", "aarch64");

    static Platform current() {
        String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
        return new Platform(Launcher.system(), SAME.getOrDefault(arch, arch));
    }

    boolean fits(Artifact artifact) {
        return (artifact.os().isEmpty() || artifact.os().contains(os))
                && (artifact.arch().isEmpty() || artifact.arch().contains(arch));
    }

    @Override
    public String toString() {
        return os + " on " + arch;
    }
}
