package io.github.commandway.tools;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.Signature;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Makes a repository in a folder, which any web server can then offer; see {@link SignedRepository}. What is added or removed can be had once {@link #publish} has signed it. For one
 * thread.
 */
public final class RepositoryWriter {
    private final Path folder;
    private final KeyPair keys;
    private final Clock clock;
    private final List<Artifact> artifacts = new ArrayList<>();
    private UUID id;
    private long sequence;

    private RepositoryWriter(Path folder, KeyPair keys, Clock clock, UUID id) {
        this.folder = folder;
        this.keys = keys;
        this.clock = clock;
        this.id = id;
    }

    /**
     * Opens a repository, or makes a new one.
     *
     * @param folder made where needed
     * @param keys an Ed25519 pair, see {@link RepositoryKeys}
     * @param clock says when something was published
     * @param random gives a new one its identity, by which it is known at whatever address
     * @throws IOException if there is an index that cannot be read or was not signed with these keys
     */
    public static RepositoryWriter open(Path folder, KeyPair keys, Clock clock, RandomGenerator random)
            throws IOException {
        Files.createDirectories(folder);
        UUID id = new UUID(random.nextLong(), random.nextLong());
        RepositoryWriter writer = new RepositoryWriter(folder.toAbsolutePath(), keys, clock, id);
        Path file = folder.resolve(RepositoryIndex.FILE);
        if (Files.exists(file)) {
            byte[] json = Files.readAllBytes(file);
            byte[] signature = Files.readAllBytes(folder.resolve(RepositoryIndex.SIGNATURE));
            if (!SignedRepository.isSigned(keys.getPublic(), json, signature)) {
                throw new IOException(file + " is not signed with these keys");
            }
            try {
                RepositoryIndex index = RepositoryIndex.parse(json);
                writer.id = index.repository();
                writer.sequence = index.sequence();
                writer.artifacts.addAll(index.artifacts());
            } catch (IllegalArgumentException e) {
                throw new IOException(file + " cannot be used: " + e.getMessage(), e);
            }
        }
        return writer;
    }

    /** What is in it, also what has not been published yet. */
    public List<Artifact> artifacts() {
        return List.copyOf(artifacts);
    }

    /**
     * Packs and adds a version of a tool.
     *
     * @param tool the folder of the version, such as {@code tools/thumbnail/1.2.0}
     * @param os the systems that it is for, of {@code linux}, {@code windows} and {@code mac}; empty for all
     * @param arch the processors that it is for, such as {@code x86_64} and {@code aarch64}; empty for all
     * @throws IllegalArgumentException if it cannot be added, such as because this version is there: what was published is not changed
     */
    public Artifact addTool(String name, String version, Path tool, List<String> os, List<String> arch)
            throws IOException {
        return add(name, version, Archives.TAR_GZ, os, arch, target -> Archives.pack(tool, target));
    }

    /**
     * Copies and adds any other file in a version, such as a program.
     *
     * @throws IllegalArgumentException if it cannot be added, see {@link #addTool}
     */
    public Artifact addFile(String name, String version, Path file, List<String> os, List<String> arch)
            throws IOException {
        String fileName = String.valueOf(file.getFileName());
        int dot = fileName.lastIndexOf('.');
        String ending = fileName.endsWith(Archives.TAR_GZ) ? Archives.TAR_GZ : dot < 0 ? "" : fileName.substring(dot);
        return add(name, version, ending, os, arch, target -> Files.copy(file, target));
    }

    private interface Source {
        void writeTo(Path target) throws IOException;
    }

    private Artifact add(String name, String version, String ending, List<String> os, List<String> arch, Source source)
            throws IOException {
        String platform = Stream.concat(os.stream(), arch.stream())
                .map(part -> "-" + part)
                .collect(Collectors.joining());
        String path = name + "/" + name + "-" + version + platform + ending;
        Instant now = clock.instant().truncatedTo(ChronoUnit.SECONDS);
        Artifact planned = RepositoryIndex.check(new Artifact(name, version, path, 0, "0".repeat(64), os, arch, now));
        if (artifacts.stream().anyMatch(one -> RepositoryIndex.key(one).equals(RepositoryIndex.key(planned)))) {
            throw new IllegalArgumentException(
                    planned + " is there; what was published is not changed, so give it a new version");
        }
        if (artifacts.size() >= RepositoryIndex.MAX_ARTIFACTS) {
            throw new IllegalArgumentException("a repository has at most " + RepositoryIndex.MAX_ARTIFACTS
                    + " artifacts; remove some that nobody needs");
        }
        Path file = folder.resolve(path);
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        Path part = file.resolveSibling(file.getFileName() + ".part");
        Files.deleteIfExists(part);
        Artifact artifact;
        try {
            source.writeTo(part);
            artifact = new Artifact(name, version, path, Files.size(part), Archives.sha256(part), os, arch, now);
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
        artifacts.add(artifact);
        return artifact;
    }

    /** Takes an artifact out of the index; its file stays, for those who have an older one. Returns whether it was there. */
    public boolean remove(Artifact artifact) {
        return artifacts.remove(artifact);
    }

    /**
     * Signs all that is in it.
     *
     * @param validFor how long it may be used; who publishes nothing new in this time should publish again
     * @throws IOException if an artifact's file is not there or has changed; the index stays as it was
     */
    public void publish(Duration validFor) throws IOException {
        for (Artifact artifact : artifacts) {
            if (!Archives.sha256(folder.resolve(artifact.file())).equals(artifact.sha256())) {
                throw new IOException(folder.resolve(artifact.file()) + " has changed since " + artifact
                        + " was added; give what it is now a new version");
            }
        }
        Instant now = clock.instant().truncatedTo(ChronoUnit.SECONDS);
        byte[] json = new RepositoryIndex(id, sequence + 1, now, now.plus(validFor), artifacts).toJson();
        byte[] signature = Base64.getEncoder().encode(sign(json));
        AtomicFiles.write(folder.resolve(RepositoryIndex.FILE), json);
        AtomicFiles.write(folder.resolve(RepositoryIndex.SIGNATURE), signature);
        sequence++;
    }

    private byte[] sign(byte[] json) throws IOException {
        try {
            Signature signer = Signature.getInstance(RepositoryKeys.ALGORITHM);
            signer.initSign(keys.getPrivate());
            signer.update(json);
            return signer.sign();
        } catch (GeneralSecurityException e) {
            throw new IOException("the index cannot be signed: " + e.getMessage(), e);
        }
    }
}
