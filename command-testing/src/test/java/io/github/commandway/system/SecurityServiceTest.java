package io.github.commandway.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.system.SecurityService.CreateToken;
import io.github.commandway.system.SecurityService.RevokeToken;
import io.github.commandway.system.SecurityService.ValidateToken;
import io.github.commandway.system.TokenIssuer.Claims;
import io.github.commandway.system.TokenIssuer.InvalidTokenException;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.ManualTime;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SecurityServiceTest {
    private static final Duration HOUR = Duration.ofHours(1);

    private final ManualTime time = new ManualTime();
    private final SecurityService security = new SecurityService(Map.of("main", issuer(1), "other", issuer(2)));
    private final HandlerDriver driver = new HandlerDriver(security);

    @AfterEach
    void everyCommandCompletedOnce() {
        driver.verify();
    }

    @Test
    void aTokenSaysWhoAndWhatUntilItEnds() {
        String token = token();
        Claims claims = (Claims) Objects.requireNonNull(driver.result(new ValidateToken("main", token)));
        assertThat(claims.actor()).isEqualTo("alice");
        assertThat(claims.scope()).containsExactlyInAnyOrder("read", "write");
        assertThat(claims.meta()).isEqualTo(Map.of("team", "ü"));
        assertThat(claims.expiresAt()).isEqualTo(ManualTime.START.plus(HOUR));
        time.advance(HOUR.minusNanos(1));
        assertThat(driver.result(new ValidateToken("main", token))).isEqualTo(claims);
        time.advance(Duration.ofNanos(1));
        assertThat(invalid("main", token)).hasMessageContaining("ended");
    }

    @Test
    void aTokenOfAnotherKeyProvesNothing() {
        assertThat(invalid("other", token())).hasMessageContaining("not made here");
    }

    @Test
    void aTokenThatWasChangedAnywhereProvesNothing() {
        String token = token();
        for (int i = 0; i < token.length(); i++) {
            char replacement = token.charAt(i) == 'A' ? 'B' : 'A';
            String changed = token.substring(0, i) + replacement + token.substring(i + 1);
            // the last characters of a Base64 group carry bits that count for nothing
            if (!decoded(changed).equals(decoded(token))) {
                assertThat(driver.call(new ValidateToken("main", changed)).error())
                        .isInstanceOf(InvalidTokenException.class);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "cw1.", "cw1..", "cw1.!.!", "cw1.AAAA.AAAA", "cw2.AAAA.AAAA"})
    void whatIsNoTokenProvesNothing(String text) {
        invalid("main", text);
        invalid("main", text.repeat(5_000));
    }

    @Test
    void aRevokedTokenProvesNothingAnyMore() {
        String token = token();
        String stays = token();
        assertThat(driver.result(new RevokeToken("main", token))).isNull();
        assertThat(driver.result(new RevokeToken("main", token))).isNull();
        assertThat(invalid("main", token)).hasMessageContaining("revoked");
        assertThat(driver.result(new ValidateToken("main", stays))).isNotNull();
    }

    @Test
    void revocationsAreForgottenOnlyWhenTheTokensHaveEnded() {
        driver.result(new RevokeToken("main", token()));
        driver.result(new RevokeToken("main", token()));
        String third = token();
        assertThat(driver.call(new RevokeToken("main", third)).error()).isInstanceOf(RejectedExecutionException.class);
        assertThat(driver.result(new ValidateToken("main", third))).isNotNull();
        time.advance(HOUR);
        String later = token();
        driver.result(new RevokeToken("main", later));
        invalid("main", later);
    }

    @Test
    void tokensThatMakeNoSenseAreNotMade() {
        assertThat(create("", HOUR)).isInstanceOf(IllegalArgumentException.class);
        assertThat(create("a", Duration.ZERO)).isInstanceOf(IllegalArgumentException.class);
        assertThat(create("a", Duration.ofSeconds(-1))).isInstanceOf(IllegalArgumentException.class);
        assertThat(create("a", HOUR.multipliedBy(25))).isInstanceOf(IllegalArgumentException.class);
        assertThat(create("a".repeat(7_000), HOUR)).isInstanceOf(IllegalArgumentException.class);
        assertThat(create("a".repeat(70_000), HOUR)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new TokenIssuer(new byte[31], time.clock(), new SecureRandom(), HOUR, 1))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void anUnknownStoreIsNamedAndAStoppedServiceRefuses() {
        assertThat(driver.call(new ValidateToken("none", token())).error()).isInstanceOf(NoSuchElementException.class);
        String token = token();
        security.close();
        assertThat(driver.call(new ValidateToken("main", token)).reason()).isEqualTo(Reason.SHUTDOWN);
    }

    @Test
    void aTokenIsNotPrinted() {
        String token = token();
        assertThat(new ValidateToken("main", token).toString()).doesNotContain(token);
        assertThat(new RevokeToken("main", token).toString()).doesNotContain(token);
    }

    private TokenIssuer issuer(int key) {
        byte[] bytes = new byte[TokenIssuer.SHORTEST_KEY];
        bytes[0] = (byte) key;
        return new TokenIssuer(bytes, time.clock(), new SecureRandom(), Duration.ofDays(1), 2);
    }

    private String token() {
        return (String) Objects.requireNonNull(
                driver.result(new CreateToken("main", "alice", Set.of("read", "write"), HOUR, Map.of("team", "ü"))));
    }

    private Throwable create(String actor, Duration life) {
        return driver.call(new CreateToken("main", actor, Set.of(), life, Map.of()))
                .error();
    }

    private Throwable invalid(String store, String token) {
        Throwable error = driver.call(new ValidateToken(store, token)).error();
        assertThat(error).isInstanceOf(InvalidTokenException.class);
        return error;
    }

    private static String decoded(String token) {
        StringBuilder text = new StringBuilder();
        for (String part : token.split("\\.", -1)) {
            try {
                text.append(new String(Base64.getUrlDecoder().decode(part), StandardCharsets.ISO_8859_1));
            } catch (IllegalArgumentException e) {
                text.append(part);
            }
            text.append('.');
        }
        return text.toString();
    }
}
