package io.github.commandway.quic.identity;

import io.github.commandway.quic.identity.JoinRefusedException.Reason;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * Decides, on the server, who gets an agent's certificate: it makes join tokens, redeems them, and remembers which key each
 * agent id belongs to, so that nobody takes over an id by joining with it.
 *
 * <p>Everything is in {@code joins.journal} in the data directory (0600) and is on disk before a method returns. Of a token only
 * a hash of its secret is kept. Several processes may use the same directory. At most {@value #MAX_TOKENS} tokens and
 * {@value #MAX_AGENTS} agent ids are kept; beyond that they are refused.
 *
 * <p>Thread-safe. The methods wait for the disk, and for other threads and processes that use the directory.
 */
public final class JoinTokens {

    /** The most tokens that are neither expired, revoked nor used up. */
    public static final int MAX_TOKENS = 1000;

    /** The most agent ids that are remembered with their keys. */
    public static final int MAX_AGENTS = 100_000;

    /** The file in the data directory in which agents that are started in the same folder find a token. */
    public static final String LOCAL_TOKEN_FILE = "join-token";

    private static final Duration LOCAL_TOKEN_REPLACED = Terms.DEFAULT_LIFETIME.dividedBy(4);

    private final Path directory;
    private final CertificateAuthority authority;
    private final Duration agentValidity;
    private final Clock clock;
    private final SecureRandom random;
    private final int maxTokens;
    private final int maxAgents;
    private final JoinJournal journal;

    /**
     * What a token allows.
     *
     * @param agentId the only agent id that may join with it; any if empty
     * @param lifetime how long it can be used, counted from its creation; positive
     * @param maxUses how often it can be used, 1 or more
     * @param allowReissue whether an agent id that already belongs to another key may be given to the joiner's key; the other
     *     key then loses it. This lets the token's holder take over an agent
     */
    public record Terms(Optional<String> agentId, Duration lifetime, int maxUses, boolean allowReissue) {

        /** How long a token can be used unless said otherwise. */
        public static final Duration DEFAULT_LIFETIME = Duration.ofHours(24);

        /**
         * Checks the terms.
         *
         * @throws IllegalArgumentException if one is out of its range
         */
        public Terms {
            agentId.ifPresent(AgentIds::requireValid);
            if (lifetime.toMillis() < 1) {
                throw new IllegalArgumentException("a join token's lifetime must be at least 1 ms, not " + lifetime);
            }
            if (maxUses < 1) {
                throw new IllegalArgumentException("a join token must have 1 use or more, not " + maxUses);
            }
        }

        /** For any new agent id, as often as wanted within 24 hours. */
        public static Terms forAnyAgent() {
            return new Terms(Optional.empty(), DEFAULT_LIFETIME, Integer.MAX_VALUE, false);
        }

        /** For this agent id, once, within 24 hours. */
        public static Terms forAgent(String agentId) {
            return new Terms(Optional.of(agentId), DEFAULT_LIFETIME, 1, false);
        }

        /** The same with another lifetime. */
        public Terms withLifetime(Duration newLifetime) {
            return new Terms(agentId, newLifetime, maxUses, allowReissue);
        }

        /** The same with another number of uses. */
        public Terms withMaxUses(int newMaxUses) {
            return new Terms(agentId, lifetime, newMaxUses, allowReissue);
        }

        /** The same, and allowed to take an agent id from the key it belongs to. */
        public Terms withReissue() {
            return new Terms(agentId, lifetime, maxUses, true);
        }
    }

    /**
     * A token as the server knows it.
     *
     * @param id the public part of the token
     * @param terms what it was created with
     * @param createdAt when it was created
     * @param expiresAt from when on it is refused
     * @param uses how often it was used
     * @param revoked whether it was revoked
     */
    public record Listed(String id, Terms terms, Instant createdAt, Instant expiresAt, int uses, boolean revoked) {}

    /**
     * Opens the tokens in {@code directory}, which need not have any.
     *
     * @param authority signs the certificates
     * @param agentValidity how long the certificates are valid
     * @throws IdentityException if {@code joins.journal} is damaged; it is left untouched
     */
    public static JoinTokens open(
            Path directory, CertificateAuthority authority, Duration agentValidity, Clock clock, SecureRandom random)
            throws IOException {
        return open(directory, authority, agentValidity, clock, random, MAX_TOKENS, MAX_AGENTS);
    }

    static JoinTokens open(
            Path directory,
            CertificateAuthority authority,
            Duration agentValidity,
            Clock clock,
            SecureRandom random,
            int maxTokens,
            int maxAgents)
            throws IOException {
        PrivateFiles.createDirectory(directory);
        JoinTokens tokens = new JoinTokens(directory, authority, agentValidity, clock, random, maxTokens, maxAgents);
        tokens.list(); // shows damage now, not at the first join
        return tokens;
    }

    private JoinTokens(
            Path directory,
            CertificateAuthority authority,
            Duration agentValidity,
            Clock clock,
            SecureRandom random,
            int maxTokens,
            int maxAgents) {
        this.directory = directory;
        this.authority = authority;
        this.agentValidity = agentValidity;
        this.clock = clock;
        this.random = random;
        this.maxTokens = maxTokens;
        this.maxAgents = maxAgents;
        this.journal = new JoinJournal(directory, clock, random);
    }

    /**
     * Creates a token. Its secret is only in what this returns.
     *
     * @throws IllegalStateException if there are {@value #MAX_TOKENS} usable tokens already
     */
    public JoinToken create(Terms terms) throws IOException {
        return journal.<JoinToken, IOException>change(() -> createNow(terms));
    }

    private JoinToken createNow(Terms terms) {
        Instant now = clock.instant();
        var tokens = journal.tokens();
        tokens.values().removeIf(token -> token.isExpired(now));
        int usable = tokens.size();
        if (usable >= maxTokens) {
            for (JoinJournal.Token token : tokens.values()) {
                if (token.isSpent()) {
                    journal.recordDropped(token.id());
                    usable--;
                }
            }
        }
        if (usable >= maxTokens) {
            throw new IllegalStateException(
                    "there are " + usable + " join tokens already; revoke some that are not needed");
        }
        byte[] id = new byte[JoinToken.ID_BYTES];
        byte[] secret = new byte[JoinToken.SECRET_BYTES];
        random.nextBytes(id);
        // a letter comes first: on a command line an id must not look like an option
        id[0] &= 0x7f;
        random.nextBytes(secret);
        JoinToken token = new JoinToken(Base64.getUrlEncoder().encodeToString(id), secret, authority.fingerprint());
        journal.recordToken(new JoinJournal.Token(
                token.id(),
                token.secretHash(),
                terms.agentId(),
                now,
                now.plus(terms.lifetime()),
                terms.maxUses(),
                terms.allowReissue(),
                0,
                false));
        return token;
    }

    /**
     * The token for agents that are started in the same folder, as often as wanted: it is in {@link #LOCAL_TOKEN_FILE} (0600),
     * the one secret that is written to the server's disk. It lives 24 hours and is replaced here once less than a quarter
     * of that is left, or it was revoked; so a server calls this when it starts and every hour.
     *
     * @throws IdentityException if the file holds something else; it is left untouched
     */
    public JoinToken localToken() throws IOException {
        return journal.<JoinToken, IOException>change(() -> {
            Path file = directory.resolve(LOCAL_TOKEN_FILE);
            if (Files.exists(file)) {
                JoinToken current = JoinToken.read(file);
                JoinJournal.Token known = journal.tokens().get(current.id());
                if (known != null
                        && current.hasSecret(known.secretHash())
                        && current.caFingerprint().equals(authority.fingerprint())
                        && !known.isSpent()
                        && clock.instant().isBefore(known.expiresAt().minus(LOCAL_TOKEN_REPLACED))) {
                    return current;
                }
            }
            JoinToken token = createNow(Terms.forAnyAgent());
            PrivateFiles.replace(file, (token.text() + "\n").getBytes(StandardCharsets.US_ASCII));
            return token;
        });
    }

    /**
     * Lets an agent join: checks the token and the request, counts the use, records that the id belongs to the request's key,
     * and issues the certificate. The use is on disk before the certificate exists, so a crash can cost a use but never gives
     * one away.
     *
     * @param tokenText the text that the agent was given
     * @param agentId the id that it wants to have
     * @param requestDer its PKCS#10 request, at most 16 KiB
     * @return the agent's certificate and then the authority's
     * @throws JoinRefusedException if it may not; nothing was counted or recorded
     * @throws IOException if the disk failed; the use may have been counted
     */
    public List<X509Certificate> redeem(String tokenText, String agentId, byte[] requestDer)
            throws JoinRefusedException, IOException {
        JoinToken token = parse(tokenText);
        checkAgentId(agentId);
        // Checked twice: first so that only a token's holder can make the server verify a signature, and then,
        // together with the count, for what may have changed since.
        journal.<Boolean, JoinRefusedException>change(() -> {
            check(token, agentId);
            return true;
        });
        PublicKey key = requestedKey(requestDer);
        String fingerprint = Keys.fingerprint(key);
        journal.<Boolean, JoinRefusedException>change(() -> {
            JoinJournal.Token known = check(token, agentId);
            checkHolder(agentId, fingerprint, known.allowReissue());
            journal.recordUse(known.id(), agentId, fingerprint);
            return true;
        });
        return authority.issueAgent(agentId, key, agentValidity);
    }

    /**
     * Issues a new certificate for an agent that still has a valid one, for the same id and the same key. No token is needed.
     *
     * @param current the certificate with which the agent is connected
     * @param requestDer its {@linkplain Identity#renewalRequest request}
     * @return the agent's certificate and then the authority's
     * @throws JoinRefusedException if the certificate is not one of ours, expired, or not {@linkplain #isCurrent current}, or the
     *     request is for another key
     */
    public List<X509Certificate> renew(X509Certificate current, byte[] requestDer)
            throws JoinRefusedException, IOException {
        try {
            new PeerVerifier(List.of(authority.certificate()), clock).verifyAgent(new X509Certificate[] {current});
        } catch (CertificateException e) {
            throw new JoinRefusedException(
                    Reason.NOT_RENEWABLE, "the certificate cannot be renewed: " + e.getMessage(), e);
        }
        String agentId = Identity.agentId(current).orElseThrow(); // verifyAgent found it
        if (!isCurrent(current)) {
            throw new JoinRefusedException(
                    Reason.NOT_RENEWABLE,
                    "the certificate cannot be renewed: agent id '" + agentId + "' no longer belongs to its key");
        }
        PublicKey key = requestedKey(requestDer);
        if (!key.equals(current.getPublicKey())) {
            throw new JoinRefusedException(
                    Reason.INVALID_REQUEST, "a renewal keeps the key; for a new key, join again with a token");
        }
        return authority.issueAgent(agentId, key, agentValidity);
    }

    /**
     * Whether the agent id in {@code certificate} belongs to its key now. It does not if the id was never recorded, was
     * {@linkplain #release released}, or went to another key since; so this is how a certificate is revoked. It says nothing
     * about who signed the certificate, or when it expires.
     */
    public boolean isCurrent(X509Certificate certificate) throws IOException {
        Optional<String> agentId = Identity.agentId(certificate);
        String key = Keys.fingerprint(certificate.getPublicKey());
        return agentId.isPresent()
                && journal.<Boolean, IOException>change(() -> {
                    JoinJournal.Holder holder = journal.holders().get(agentId.get());
                    return holder != null && holder.key().equals(key);
                });
    }

    /**
     * Ends a token; certificates that were issued for it stay valid.
     *
     * @return whether there was such a token and it was not revoked before
     */
    public boolean revoke(String tokenId) throws IOException {
        return journal.<Boolean, IOException>change(() -> {
            JoinJournal.Token known = journal.tokens().get(tokenId);
            if (known == null || known.revoked()) {
                return false;
            }
            journal.recordRevoked(tokenId);
            return true;
        });
    }

    /**
     * Takes an agent id from the key that it belongs to: the next agent that joins with it gets it, and the old certificate is
     * no longer {@linkplain #isCurrent current}.
     *
     * @return whether the id belonged to a key
     */
    public boolean release(String agentId) throws IOException {
        return journal.<Boolean, IOException>change(() -> {
            if (!journal.holders().containsKey(agentId)) {
                return false;
            }
            journal.recordReleased(agentId);
            return true;
        });
    }

    /** The tokens that have not expired, oldest first. */
    public List<Listed> list() throws IOException {
        return journal.<List<Listed>, IOException>change(() -> {
            Instant now = clock.instant();
            return journal.tokens().values().stream()
                    .filter(token -> !token.isExpired(now))
                    .map(JoinTokens::listed)
                    .toList();
        });
    }

    private static Listed listed(JoinJournal.Token token) {
        Terms terms = new Terms(
                token.agentId(),
                Duration.between(token.createdAt(), token.expiresAt()),
                token.maxUses(),
                token.allowReissue());
        return new Listed(token.id(), terms, token.createdAt(), token.expiresAt(), token.uses(), token.revoked());
    }

    private static JoinToken parse(String text) throws JoinRefusedException {
        try {
            return JoinToken.parse(text);
        } catch (IllegalArgumentException e) {
            throw new JoinRefusedException(Reason.MALFORMED_TOKEN, String.valueOf(e.getMessage()), e);
        }
    }

    private static PublicKey requestedKey(byte[] requestDer) throws JoinRefusedException {
        try {
            return Keys.requestedKey(requestDer);
        } catch (IdentityException e) {
            throw new JoinRefusedException(Reason.INVALID_REQUEST, String.valueOf(e.getMessage()), e);
        }
    }

    private JoinJournal.Token check(JoinToken token, String agentId) throws JoinRefusedException {
        JoinJournal.Token known = journal.tokens().get(token.id());
        if (known == null || !token.hasSecret(known.secretHash())) {
            throw new JoinRefusedException(
                    Reason.UNKNOWN_TOKEN,
                    "the server does not know join token " + token.id() + " with this secret; create a new one");
        }
        if (!token.caFingerprint().equals(authority.fingerprint())) {
            throw new JoinRefusedException(
                    Reason.OTHER_AUTHORITY,
                    "join token " + token.id() + " was made by another certificate authority; create a new one");
        }
        if (known.revoked()) {
            throw new JoinRefusedException(
                    Reason.REVOKED_TOKEN, "join token " + token.id() + " was revoked; create a new one");
        }
        if (known.isExpired(clock.instant())) {
            throw new JoinRefusedException(
                    Reason.EXPIRED_TOKEN,
                    "join token " + token.id() + " expired at " + known.expiresAt() + "; create a new one");
        }
        if (known.agentId().isPresent() && !known.agentId().get().equals(agentId)) {
            throw new JoinRefusedException(
                    Reason.OTHER_AGENT,
                    "join token " + token.id() + " is for agent '"
                            + known.agentId().get() + "', not '" + agentId + "'");
        }
        if (known.uses() >= known.maxUses()) {
            throw new JoinRefusedException(
                    Reason.USED_UP_TOKEN,
                    "join token " + token.id() + " was used " + known.uses() + " of " + known.maxUses()
                            + " times; create a new one");
        }
        return known;
    }

    private void checkHolder(String agentId, String key, boolean allowReissue) throws JoinRefusedException {
        JoinJournal.Holder holder = journal.holders().get(agentId);
        if (holder == null && journal.holders().size() >= maxAgents) {
            throw new JoinRefusedException(
                    Reason.AGENT_LIMIT,
                    "the server keeps at most " + maxAgents + " agent ids; release some that are not needed");
        }
        if (holder != null && !holder.key().equals(key) && !allowReissue) {
            throw new JoinRefusedException(
                    Reason.AGENT_ID_TAKEN,
                    "agent id '" + agentId + "' belongs to another key since " + holder.since()
                            + ". If this is the same agent and it lost its folder, put its key.pem back, or release the id"
                            + " on the server, or join with a token that allows reissue; if it is another agent, choose"
                            + " another id");
        }
    }

    private static void checkAgentId(String agentId) throws JoinRefusedException {
        try {
            AgentIds.requireValid(agentId);
        } catch (IllegalArgumentException e) {
            throw new JoinRefusedException(Reason.INVALID_AGENT_ID, String.valueOf(e.getMessage()), e);
        }
    }
}
