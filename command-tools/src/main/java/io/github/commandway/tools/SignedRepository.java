package io.github.commandway.tools;

import io.github.commandway.tools.RepositoryException.Code;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.DigestOutputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.PublicKey;
import java.security.Signature;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A folder or a web address from which tools and programs can be had: {@code index.json}, its signature {@code index.json.sig}, and the files that the index names. Nothing of it is
 * believed but what the owner of one key has signed; an index that has expired, or that is older than one that was seen before, is refused. Thread-safe; several processes may use the
 * same memory.
 */
public final class SignedRepository {
    private static final Logger LOG = LoggerFactory.getLogger(SignedRepository.class);
    private static final int MAX_SIGNATURE_BYTES = 1_000;
    private static final Duration LOCK_LIMIT = Duration.ofSeconds(30);

    private final RepositoryFetcher fetcher;
    private final PublicKey key;
    private final Path memory;
    private final Clock clock;
    private final Platform platform;
    private final Duration indexTimeout;
    private final Duration downloadTimeout;
    private final long maxDownload;

    private SignedRepository(Builder builder) {
        fetcher = new RepositoryFetcher(builder.location);
        key = builder.key;
        memory = builder.memory;
        clock = builder.clock;
        platform = builder.platform;
        indexTimeout = builder.indexTimeout;
        downloadTimeout = builder.downloadTimeout;
        maxDownload = builder.maxDownload;
    }

    /**
     * Begins a repository. Nothing is read yet.
     *
     * @param location a {@code file:}, {@code http:} or {@code https:} address, without user, query and fragment
     * @param key an Ed25519 key, see {@link RepositoryKeys#readPublic}
     * @param memory a folder, made where needed, in which the newest index that was seen is noted, so that no older one is believed, and of which repository it is
     */
    public static Builder builder(URI location, PublicKey key, Path memory) {
        return new Builder(location, key, memory);
    }

    /** Where it is. */
    public URI location() {
        return fetcher.location();
    }

    /**
     * Reads what there is for this machine, after checking that it is signed, valid, and not older than what was seen before.
     *
     * @throws RepositoryException if it cannot be had or is not to be trusted
     */
    public List<Artifact> artifacts() throws IOException, InterruptedException {
        return index().artifacts().stream().filter(platform::fits).toList();
    }

    /**
     * Finds the best version of an artifact.
     *
     * @param version a version, a range such as {@code ^1.2}, or empty for the highest that is no pre-release; as in {@link ToolCatalog#find}
     * @throws RepositoryException if there is none for this machine, or the repository cannot be had or is not to be trusted
     */
    public Artifact find(String name, String version) throws IOException, InterruptedException {
        return find(artifacts(), name, version);
    }

    Artifact find(List<Artifact> artifacts, String name, String version) throws RepositoryException {
        List<Artifact> named = artifacts.stream()
                .filter(artifact -> artifact.name().equals(name))
                .toList();
        if (named.isEmpty()) {
            throw new RepositoryException(Code.NOT_FOUND, location() + " has no '" + name + "' for " + platform);
        }
        try {
            List<Versions.Named> versions = named.stream()
                    .map(artifact -> new Versions.Named(artifact.version()))
                    .toList();
            String best = Versions.find(versions, name, version).version();
            return named.stream()
                    .filter(artifact -> artifact.version().equals(best))
                    .findFirst()
                    .orElseThrow();
        } catch (IllegalArgumentException e) {
            throw new RepositoryException(Code.NOT_FOUND, location() + ": " + e.getMessage(), e);
        }
    }

    /**
     * Downloads an artifact that this repository named. The file is there whole, checked and on disk, or not at all.
     *
     * @param target the file; replaced if it is there
     * @throws RepositoryException if it cannot be had, or is not what the index says
     */
    public void download(Artifact artifact, Path target) throws IOException, InterruptedException {
        RepositoryIndex.check(artifact);
        if (artifact.size() > maxDownload) {
            throw new RepositoryException(
                    Code.REFUSED, artifact + " has " + artifact.size() + " bytes; the most is " + maxDownload);
        }
        Path folder = Objects.requireNonNull(target.toAbsolutePath().getParent());
        Files.createDirectories(folder);
        Path part = folder.resolve("." + artifact.name() + "-" + UUID.randomUUID() + ".part");
        try {
            byte[] digest = downloadTo(part, artifact);
            long size = Files.size(part);
            if (size != artifact.size()) {
                throw new RepositoryException(
                        Code.UNREACHABLE,
                        location().resolve(artifact.file()) + " ended after " + size + " of " + artifact.size()
                                + " bytes");
            }
            String sha256 = HexFormat.of().formatHex(digest);
            if (!sha256.equals(artifact.sha256())) {
                throw new RepositoryException(
                        Code.UNTRUSTED,
                        location().resolve(artifact.file()) + " is not what was signed: its sha256 is " + sha256
                                + ", and should be " + artifact.sha256());
            }
            Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    private byte[] downloadTo(Path part, Artifact artifact) throws IOException, InterruptedException {
        MessageDigest digest = sha256();
        try (FileChannel channel = FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
                OutputStream out = new DigestOutputStream(Channels.newOutputStream(channel), digest)) {
            fetcher.fetch(artifact.file(), artifact.size(), downloadTimeout, out);
            channel.force(true);
        }
        return digest.digest();
    }

    private RepositoryIndex index() throws IOException, InterruptedException {
        byte[] json = signed();
        RepositoryIndex index;
        try {
            index = RepositoryIndex.parse(json);
        } catch (IllegalArgumentException e) {
            throw new RepositoryException(
                    Code.UNTRUSTED, "the index of " + location() + " cannot be used: " + e.getMessage(), e);
        }
        Instant now = clock.instant();
        if (!now.isBefore(index.expires())) {
            throw new RepositoryException(
                    Code.UNTRUSTED,
                    "the index of " + location() + " has expired at " + index.expires() + ", and it is " + now
                            + "; its owner should publish a new one");
        }
        remember(index, json);
        return index;
    }

    /** An index that is exchanged between two requests does not fit its signature, so it is tried once more. */
    private byte[] signed() throws IOException, InterruptedException {
        for (int attempt = 1; attempt <= 2; attempt++) {
            byte[] signature = bytes(RepositoryIndex.SIGNATURE, MAX_SIGNATURE_BYTES);
            byte[] json = bytes(RepositoryIndex.FILE, RepositoryIndex.MAX_BYTES);
            if (isSigned(key, json, signature)) {
                return json;
            }
        }
        throw new RepositoryException(
                Code.UNTRUSTED, "the index of " + location() + " is not signed with the key that is trusted here");
    }

    private byte[] bytes(String path, int limit) throws IOException, InterruptedException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        fetcher.fetch(path, limit, indexTimeout, out);
        return out.toByteArray();
    }

    static boolean isSigned(PublicKey key, byte[] json, byte[] signature) {
        try {
            Signature verifier = Signature.getInstance(RepositoryKeys.ALGORITHM);
            verifier.initVerify(key);
            verifier.update(json);
            return verifier.verify(
                    Base64.getDecoder().decode(new String(signature, StandardCharsets.ISO_8859_1).strip()));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            // what is no signature is no valid one
            return false;
        }
    }

    /** By its own identity, as it may be had at several addresses; and an address goes on to be that of the same one. */
    private void remember(RepositoryIndex index, byte[] json) throws IOException, InterruptedException {
        String name = HexFormat.of().formatHex(Arrays.copyOf(sha256().digest(key.getEncoded()), 16));
        Path file = memory.resolve(name + ".json");
        String sha256 = HexFormat.of().formatHex(sha256().digest(json));
        boolean isNew = FileLocks.holding(memory.resolve(name + ".lock"), LOCK_LIMIT, () -> {
            ObjectNode seen = seen(file);
            boolean added = isNewAddress(index, seen.withObjectProperty("addresses"), file);
            added |= isNewer(index, sha256, seen.withObjectProperty("repositories"));
            if (added) {
                AtomicFiles.write(file, RepositoryIndex.JSON.writeValueAsBytes(seen));
            }
            return added;
        });
        LOG.debug("index {} of {}{}", index.sequence(), location(), isNew ? ", for the first time" : "");
    }

    private boolean isNewAddress(RepositoryIndex index, ObjectNode addresses, Path file) throws RepositoryException {
        String id = index.repository().toString();
        String before = addresses.path(location().toString()).asString(id);
        if (!before.equals(id)) {
            throw new RepositoryException(
                    Code.UNTRUSTED,
                    "at " + location() + " is another repository than before: " + id + " instead of " + before
                            + "; if its owner has made a new one, remove " + file);
        }
        boolean added = !addresses.has(location().toString());
        addresses.put(location().toString(), id);
        return added;
    }

    /** Returns false if it is the same. */
    private boolean isNewer(RepositoryIndex index, String sha256, ObjectNode repositories) throws RepositoryException {
        ObjectNode seen = repositories.withObjectProperty(index.repository().toString());
        long sequence = seen.path("sequence").asLong(-1);
        if (index.sequence() < sequence) {
            throw new RepositoryException(
                    Code.UNTRUSTED,
                    "the index of " + location() + " has sequence " + index.sequence() + ", and " + sequence
                            + " was seen before: it is an old one");
        }
        if (index.sequence() == sequence && !sha256.equals(seen.path("sha256").asString(""))) {
            throw new RepositoryException(
                    Code.UNTRUSTED,
                    "the index of " + location() + " is another one than was seen before with the same sequence "
                            + sequence);
        }
        seen.put("sequence", index.sequence()).put("sha256", sha256);
        return index.sequence() > sequence;
    }

    private static boolean isSeen(JsonNode repository) {
        return repository.path("sequence").isIntegralNumber()
                && repository.path("sequence").canConvertToLong()
                && repository.path("sha256").isString();
    }

    private static ObjectNode seen(Path file) throws IOException {
        if (!Files.exists(file)) {
            return RepositoryIndex.JSON.createObjectNode();
        }
        String problem;
        try {
            JsonNode seen = RepositoryIndex.JSON.readTree(Files.readAllBytes(file));
            if (seen instanceof ObjectNode fields
                    && fields.path("repositories").isObject()
                    && fields.path("addresses").isObject()
                    && fields.path("repositories").values().stream().allMatch(SignedRepository::isSeen)
                    && fields.path("addresses").values().stream().allMatch(JsonNode::isString)) {
                return fields;
            }
            // what is not understood may have been an index, after which older ones are not to be believed
            problem = "not all of its repositories and addresses are there";
        } catch (JacksonException e) {
            problem = e.getOriginalMessage();
        }
        throw new IOException(file + ", which says which index was seen last, cannot be read: " + problem);
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /**
     * Builds a {@link SignedRepository}.
     *
     * <p>Defaults: 30 s for the index, 10 min and 1 GiB for an artifact; the system's clock.
     */
    public static final class Builder {
        private final URI location;
        private final PublicKey key;
        private final Path memory;
        private Clock clock = Clock.systemUTC();
        private Platform platform = Platform.current();
        private Duration indexTimeout = Duration.ofSeconds(30);
        private Duration downloadTimeout = Duration.ofMinutes(10);
        private long maxDownload = 1L << 30;

        private Builder(URI location, PublicKey key, Path memory) {
            this.location = location;
            this.key = key;
            this.memory = memory;
        }

        /** Sets the clock that says whether an index has expired. */
        public Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /** Sets how long each of the two files of the index may take, and how long an artifact. */
        public Builder timeouts(Duration index, Duration download) {
            this.indexTimeout = index;
            this.downloadTimeout = download;
            return this;
        }

        /** Sets how many bytes an artifact may have. */
        public Builder maxDownload(long bytes) {
            this.maxDownload = bytes;
            return this;
        }

        Builder platform(Platform platform) {
            this.platform = platform;
            return this;
        }

        /**
         * Makes it.
         *
         * @throws IllegalArgumentException if the location cannot be one, or the key is no Ed25519 key
         */
        public SignedRepository build() {
            if (!key.getAlgorithm().equals("EdDSA") && !key.getAlgorithm().equals(RepositoryKeys.ALGORITHM)) {
                throw new IllegalArgumentException(
                        "the key of a repository should be an Ed25519 key, not " + key.getAlgorithm());
            }
            return new SignedRepository(this);
        }
    }
}
