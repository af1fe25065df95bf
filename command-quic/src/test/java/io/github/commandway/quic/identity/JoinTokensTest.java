package io.github.commandway.quic.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.quic.identity.JoinRefusedException.Reason;
import io.github.commandway.quic.identity.JoinTokens.Terms;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JoinTokensTest {

    private static final Duration MONTH = Duration.ofDays(30);

    @TempDir
    Path root;

    private final SettableClock clock = new SettableClock();
    private final SecureRandom random = new SecureRandom();
    private final IdentityRequest request = IdentityRequest.create(random);
    private CertificateAuthority authority;
    private JoinTokens tokens;

    @BeforeEach
    void open() throws IOException {
        authority = CertificateAuthority.openOrCreate(root, clock, random);
        tokens = reopened();
    }

    private JoinTokens reopened() throws IOException {
        return JoinTokens.open(root, authority, MONTH, clock, random);
    }

    private Path journal() {
        return root.resolve("joins.journal");
    }

    private byte[] newRequest() {
        return IdentityRequest.create(random).der();
    }

    private static void assertRefused(Reason reason, ThrowingCallable join) {
        assertThatThrownBy(join)
                .isInstanceOfSatisfying(
                        JoinRefusedException.class,
                        refused -> assertThat(refused.reason()).isEqualTo(reason));
    }

    @Test
    void redeemedTokenGivesAnIdentity() throws Exception {
        JoinToken token = tokens.create(Terms.forAgent("client-001"));
        Identity identity = request.complete(
                tokens.redeem(token.text(), "client-001", request.der()), token.caFingerprint(), clock);
        assertThat(identity.agentId()).contains("client-001");
        assertThat(identity.expiresAt()).isEqualTo(clock.instant().plus(MONTH));
        assertThat(tokens.isCurrent(identity.certificate())).isTrue();
    }

    @Test
    void secretIsNotOnTheServersDisk() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent());
        tokens.redeem(token.text(), "a", request.der());
        String secret = token.text().split("\\.")[2];
        for (String name : CertificateAuthorityTest.names(root)) {
            assertThat(Files.readString(root.resolve(name), StandardCharsets.ISO_8859_1))
                    .as(name)
                    .doesNotContain(secret);
        }
        assertThat(tokens.list().toString()).doesNotContain(secret);
    }

    @Test
    void filesAreForTheirOwnerOnly() throws Exception {
        CertificateAuthorityTest.assumePosix();
        tokens.localToken();
        assertThat(CertificateAuthorityTest.permissions(journal())).isEqualTo("rw-------");
        assertThat(CertificateAuthorityTest.permissions(root.resolve("join-token")))
                .isEqualTo("rw-------");
    }

    @Test
    void unknownTokenAndWrongSecretAreRefusedAlike() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent());
        JoinToken wrongSecret = new JoinToken(token.id(), new byte[24], authority.fingerprint());
        JoinToken unknown = new JoinToken("aaaaaaaaaaaa", new byte[24], authority.fingerprint());
        assertRefused(Reason.UNKNOWN_TOKEN, () -> tokens.redeem(wrongSecret.text(), "a", request.der()));
        assertRefused(Reason.UNKNOWN_TOKEN, () -> tokens.redeem(unknown.text(), "a", request.der()));
        assertRefused(Reason.MALFORMED_TOKEN, () -> tokens.redeem("what?", "a", request.der()));
        assertThat(tokens.list().get(0).uses()).isZero();
    }

    @Test
    void tokenOfAnotherAuthorityIsRefused() throws Exception {
        String[] parts = tokens.create(Terms.forAnyAgent()).text().split("\\.");
        String otherFingerprint = new JoinToken("aaaaaaaaaaaa", new byte[24], "00".repeat(32))
                .text()
                .split("\\.")[3];
        String mixed = String.join(".", parts[0], parts[1], parts[2], otherFingerprint);
        assertRefused(Reason.OTHER_AUTHORITY, () -> tokens.redeem(mixed, "a", request.der()));
    }

    @Test
    void tokenIsRefusedFromItsExpiryOn() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent().withLifetime(Duration.ofHours(1)));
        clock.advance(Duration.ofHours(1).minusMillis(1));
        tokens.redeem(token.text(), "a", request.der());
        clock.advance(Duration.ofMillis(1));
        assertRefused(Reason.EXPIRED_TOKEN, () -> tokens.redeem(token.text(), "a", request.der()));
        assertThat(tokens.list()).isEmpty();
    }

    @Test
    void tokenIsRefusedAfterItsLastUse() throws Exception {
        JoinToken token = tokens.create(Terms.forAgent("a").withMaxUses(2));
        tokens.redeem(token.text(), "a", request.der());
        tokens.redeem(token.text(), "a", request.der());
        assertRefused(Reason.USED_UP_TOKEN, () -> tokens.redeem(token.text(), "a", request.der()));
        assertRefused(Reason.USED_UP_TOKEN, () -> reopened().redeem(token.text(), "a", request.der()));
    }

    @Test
    void revokedTokenIsRefused() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent());
        assertThat(tokens.revoke(token.id())).isTrue();
        assertThat(tokens.revoke(token.id())).isFalse();
        assertThat(tokens.revoke("aaaaaaaaaaaa")).isFalse();
        assertRefused(Reason.REVOKED_TOKEN, () -> reopened().redeem(token.text(), "a", request.der()));
        assertThat(tokens.list())
                .singleElement()
                .satisfies(listed -> assertThat(listed.revoked()).isTrue());
    }

    @Test
    void boundTokenIsForItsAgentOnly() throws Exception {
        JoinToken token = tokens.create(Terms.forAgent("a"));
        assertRefused(Reason.OTHER_AGENT, () -> tokens.redeem(token.text(), "b", request.der()));
        tokens.redeem(token.text(), "a", request.der());
    }

    @Test
    void invalidAgentIdIsRefused() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent());
        assertRefused(Reason.INVALID_AGENT_ID, () -> tokens.redeem(token.text(), "a b\n", request.der()));
        assertThatThrownBy(() -> Terms.forAgent("a b")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void badRequestIsRefusedAndCostsNoUse() throws Exception {
        JoinToken token = tokens.create(Terms.forAgent("a"));
        byte[] forged = Keys.request(
                new KeyPair(
                        Keys.generate(random).getPublic(), Keys.generate(random).getPrivate()),
                random);
        assertRefused(Reason.INVALID_REQUEST, () -> tokens.redeem(token.text(), "a", forged));
        assertRefused(Reason.INVALID_REQUEST, () -> tokens.redeem(token.text(), "a", new byte[3]));
        tokens.redeem(token.text(), "a", request.der());
    }

    @Test
    void nobodyTakesOverAnIdWithAnotherKey() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent());
        X509Certificate first = tokens.redeem(token.text(), "a", request.der()).get(0);
        assertThatThrownBy(() -> tokens.redeem(token.text(), "a", newRequest()))
                .isInstanceOf(JoinRefusedException.class)
                .hasMessageContaining("belongs to another key since 2026-03-01T12:00:00Z")
                .hasMessageContaining("put its key.pem back, or release the id");
        JoinToken bound = tokens.create(Terms.forAgent("a"));
        assertRefused(Reason.AGENT_ID_TAKEN, () -> tokens.redeem(bound.text(), "a", newRequest()));
        assertRefused(Reason.AGENT_ID_TAKEN, () -> reopened().redeem(token.text(), "a", newRequest()));
        assertThat(tokens.list()).extracting(JoinTokens.Listed::uses).containsExactly(1, 0);
        tokens.redeem(token.text(), "a", request.der());
        assertThat(tokens.isCurrent(first)).isTrue();
    }

    @Test
    void reissueGivesTheIdToTheNewKeyAndTakesItFromTheOld() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent());
        X509Certificate first = tokens.redeem(token.text(), "a", request.der()).get(0);
        JoinToken reissue = tokens.create(Terms.forAgent("a").withReissue());
        X509Certificate second =
                tokens.redeem(reissue.text(), "a", newRequest()).get(0);
        assertThat(tokens.isCurrent(second)).isTrue();
        assertThat(tokens.isCurrent(first)).isFalse();
        assertRefused(Reason.NOT_RENEWABLE, () -> tokens.renew(first, request.der()));
    }

    @Test
    void releasedIdIsFreeAndItsCertificateNoLongerCurrent() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent());
        X509Certificate first = tokens.redeem(token.text(), "a", request.der()).get(0);
        assertThat(tokens.release("a")).isTrue();
        assertThat(tokens.release("a")).isFalse();
        assertThat(tokens.isCurrent(first)).isFalse();
        assertThat(reopened().isCurrent(first)).isFalse();
        tokens.redeem(token.text(), "a", newRequest());
    }

    @Test
    void certificateWithoutARecordIsNotCurrent() throws Exception {
        assertThat(tokens.isCurrent(
                        authority.issueAgent("a", request.der(), MONTH).get(0)))
                .isFalse();
        assertThat(tokens.isCurrent(authority.certificate())).isFalse();
    }

    @Test
    void renewalNeedsAValidCertificateAndItsOwnKey() throws Exception {
        JoinToken token = tokens.create(Terms.forAgent("a"));
        Identity identity =
                request.complete(tokens.redeem(token.text(), "a", request.der()), token.caFingerprint(), clock);
        X509Certificate current = identity.certificate();
        clock.advance(Duration.ofDays(21));
        assertThat(identity.needsRenewal(clock)).isTrue();
        Identity renewed = identity.renewed(tokens.renew(current, identity.renewalRequest(random)), clock);
        assertThat(renewed.expiresAt()).isEqualTo(clock.instant().plus(MONTH));
        assertThat(tokens.isCurrent(renewed.certificate())).isTrue();

        assertRefused(Reason.INVALID_REQUEST, () -> tokens.renew(current, newRequest()));
        assertRefused(
                Reason.NOT_RENEWABLE,
                () -> tokens.renew(authority.issueServer(List.of(), MONTH).certificate(), request.der()));
        CertificateAuthority stranger = CertificateAuthority.openOrCreate(root.resolve("other"), clock, random);
        X509Certificate foreign = stranger.issueAgent("a", request.der(), MONTH).get(0);
        assertRefused(Reason.NOT_RENEWABLE, () -> tokens.renew(foreign, request.der()));
        clock.advance(Duration.ofDays(10));
        assertRefused(Reason.NOT_RENEWABLE, () -> tokens.renew(current, request.der()));
    }

    @Test
    void everythingSurvivesARestart() throws Exception {
        JoinToken token = tokens.create(new Terms(Optional.of("a"), Duration.ofHours(3), 7, true));
        tokens.create(Terms.forAnyAgent());
        X509Certificate certificate =
                tokens.redeem(token.text(), "a", request.der()).get(0);
        JoinTokens later = reopened();
        assertThat(later.list()).isEqualTo(tokens.list()).hasSize(2);
        assertThat(later.list().get(0))
                .isEqualTo(new JoinTokens.Listed(
                        token.id(),
                        new Terms(Optional.of("a"), Duration.ofHours(3), 7, true),
                        clock.instant(),
                        clock.instant().plus(Duration.ofHours(3)),
                        1,
                        false));
        assertThat(later.isCurrent(certificate)).isTrue();
    }

    @Test
    void twoThatShareADirectorySeeEachOthersChanges() throws Exception {
        JoinTokens other = reopened();
        JoinToken token = other.create(Terms.forAgent("a"));
        X509Certificate certificate =
                tokens.redeem(token.text(), "a", request.der()).get(0);
        assertRefused(Reason.USED_UP_TOKEN, () -> other.redeem(token.text(), "a", request.der()));
        assertThat(other.isCurrent(certificate)).isTrue();
    }

    @Test
    void usesAreCountedExactlyByManyAtOnce() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent().withMaxUses(10));
        int joiners = 24;
        List<JoinTokens> servers = List.of(tokens, reopened(), reopened());
        ExecutorService pool = Executors.newFixedThreadPool(joiners);
        try {
            CountDownLatch start = new CountDownLatch(1);
            List<Future<Boolean>> joins = new ArrayList<>();
            for (int i = 0; i < joiners; i++) {
                JoinTokens server = servers.get(i % servers.size());
                String agentId = "agent-" + i;
                byte[] der = newRequest();
                joins.add(pool.submit(() -> {
                    start.await();
                    try {
                        server.redeem(token.text(), agentId, der);
                        return true;
                    } catch (JoinRefusedException e) {
                        assertThat(e.reason()).isEqualTo(Reason.USED_UP_TOKEN);
                        return false;
                    }
                }));
            }
            start.countDown();
            int joined = 0;
            for (Future<Boolean> join : joins) {
                joined += join.get() ? 1 : 0;
            }
            assertThat(joined).isEqualTo(10);
            assertThat(reopened().list().get(0).uses()).isEqualTo(10);
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    void oneIdGoesToOneOfManyAtOnce() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent());
        int joiners = 12;
        ExecutorService pool = Executors.newFixedThreadPool(joiners);
        try {
            CountDownLatch start = new CountDownLatch(1);
            List<Future<Boolean>> joins = new ArrayList<>();
            for (int i = 0; i < joiners; i++) {
                byte[] der = newRequest();
                joins.add(pool.submit(() -> {
                    start.await();
                    try {
                        tokens.redeem(token.text(), "a", der);
                        return true;
                    } catch (JoinRefusedException e) {
                        assertThat(e.reason()).isEqualTo(Reason.AGENT_ID_TAKEN);
                        return false;
                    }
                }));
            }
            start.countDown();
            int joined = 0;
            for (Future<Boolean> join : joins) {
                joined += join.get() ? 1 : 0;
            }
            assertThat(joined).isEqualTo(1);
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    void unconfirmedLastLineIsCutOff() throws Exception {
        JoinToken token = tokens.create(Terms.forAgent("a"));
        long confirmed = Files.size(journal());
        Files.writeString(journal(), "use " + token.id(), StandardOpenOption.APPEND);
        JoinTokens later = reopened();
        assertThat(Files.size(journal())).isEqualTo(confirmed);
        assertThat(later.list().get(0).uses()).isZero();
        Files.write(journal(), new byte[100], StandardOpenOption.APPEND);
        later.redeem(token.text(), "a", request.der());
        assertThat(reopened().list().get(0).uses()).isEqualTo(1);
    }

    @Test
    void damagedJournalIsRefusedAndLeftUntouched() throws Exception {
        JoinToken token = tokens.create(Terms.forAnyAgent());
        tokens.redeem(token.text(), "a", request.der());
        String good = Files.readString(journal());
        List<String> damaged = List.of(
                "",
                "hello\n",
                good.substring(0, 20),
                good.replace("commandway-joins-1", "commandway-joins-9"),
                good.replace("\nuse ", "\nuses "),
                good.replaceFirst("agent a ", "agent ? "),
                good.replaceFirst(" [0-9]{13} ", " soon "),
                good + "token x\n",
                good + "\n");
        for (String content : damaged) {
            Files.writeString(journal(), content);
            assertThatThrownBy(this::reopened)
                    .isInstanceOf(IdentityException.class)
                    .hasMessageContaining("joins.journal is damaged");
            assertThatThrownBy(() -> tokens.create(Terms.forAnyAgent())).isInstanceOf(IdentityException.class);
            assertThat(Files.readString(journal())).isEqualTo(content);
        }
        Files.writeString(journal(), good);
        assertThat(tokens.list()).hasSize(1);
        assertThat(reopened().list()).hasSize(1);
    }

    @Test
    void journalDoesNotGrowWithItsHistory() throws Exception {
        JoinTokens other = reopened();
        JoinToken kept = tokens.create(Terms.forAnyAgent());
        X509Certificate certificate =
                tokens.redeem(kept.text(), "a", request.der()).get(0);
        other.list(); // from here on it must notice that the file it knows was replaced
        int largest = 0;
        for (int i = 0; i < 1200; i++) {
            JoinToken token = tokens.create(Terms.forAnyAgent().withLifetime(Duration.ofMillis(1)));
            clock.advance(Duration.ofMillis(1));
            assertThat(tokens.revoke(token.id())).isTrue();
            largest = Math.max(largest, Files.readAllLines(journal()).size());
        }
        assertThat(largest).isLessThan(1100);
        assertThat(tokens.list()).hasSize(1);
        assertThat(other.list()).isEqualTo(tokens.list());
        assertThat(other.isCurrent(certificate)).isTrue();
        assertThat(reopened().isCurrent(certificate)).isTrue();
    }

    @Test
    void tokensAreBoundedInNumberAndDeadOnesMakeRoom() throws Exception {
        JoinTokens few = JoinTokens.open(root, authority, MONTH, clock, random, 2, 100);
        JoinToken first = few.create(Terms.forAnyAgent());
        few.create(Terms.forAgent("a").withLifetime(Duration.ofHours(1)));
        assertThatThrownBy(() -> few.create(Terms.forAnyAgent()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("2 join tokens already");
        few.revoke(first.id());
        few.create(Terms.forAnyAgent());
        assertThatThrownBy(() -> few.create(Terms.forAnyAgent())).isInstanceOf(IllegalStateException.class);
        clock.advance(Duration.ofHours(2));
        few.create(Terms.forAnyAgent());
        assertThat(few.list()).hasSize(2);
    }

    @Test
    void anIdDoesNotLookLikeAnOptionOfACommandLine() throws Exception {
        // in Base64 62 is a hyphen
        SecureRandom hyphens = new SecureRandom() {
            @Override
            public void nextBytes(byte[] bytes) {
                Arrays.fill(bytes, (byte) 0xfb);
            }
        };
        assertThat(JoinTokens.open(root, authority, MONTH, clock, hyphens)
                        .create(Terms.forAnyAgent())
                        .id())
                .matches("[A-Za-z].*");
    }

    @Test
    void agentIdsAreBoundedInNumber() throws Exception {
        JoinTokens few = JoinTokens.open(root, authority, MONTH, clock, random, 10, 2);
        JoinToken token = few.create(Terms.forAnyAgent());
        few.redeem(token.text(), "a", request.der());
        few.redeem(token.text(), "b", request.der());
        assertRefused(Reason.AGENT_LIMIT, () -> few.redeem(token.text(), "c", request.der()));
        few.redeem(token.text(), "a", request.der());
        few.release("b");
        few.redeem(token.text(), "c", request.der());
    }

    @Test
    void localTokenIsKeptUntilItIsNearItsEnd() throws Exception {
        JoinToken token = tokens.localToken();
        assertThat(JoinToken.read(root.resolve(JoinTokens.LOCAL_TOKEN_FILE)).text())
                .isEqualTo(token.text());
        assertThat(reopened().localToken().text()).isEqualTo(token.text());
        tokens.redeem(token.text(), "a", request.der());
        tokens.redeem(token.text(), "b", newRequest());
        clock.advance(Duration.ofHours(18));
        JoinToken next = tokens.localToken();
        assertThat(next.text()).isNotEqualTo(token.text());
        tokens.redeem(token.text(), "c", newRequest());
        tokens.redeem(next.text(), "d", newRequest());
        tokens.revoke(next.id());
        assertThat(tokens.localToken().id()).isNotEqualTo(next.id());
    }

    @Test
    void localTokenIsReplacedWhenTheServerDoesNotKnowIt() throws Exception {
        JoinToken token = tokens.localToken();
        Files.delete(journal());
        JoinToken next = reopened().localToken();
        assertThat(next.text()).isNotEqualTo(token.text());
        Files.writeString(root.resolve(JoinTokens.LOCAL_TOKEN_FILE), "my own notes");
        assertThatThrownBy(() -> reopened().localToken()).isInstanceOf(IdentityException.class);
        assertThat(root.resolve(JoinTokens.LOCAL_TOKEN_FILE)).hasContent("my own notes");
    }

    @Test
    void termsOutOfRangeAreRefused() {
        assertThatThrownBy(() -> Terms.forAnyAgent().withMaxUses(0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Terms.forAnyAgent().withLifetime(Duration.ZERO))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
