package io.github.commandway.http;

import static io.github.commandway.http.Route.Extent.SOME;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AccessTest {
    private static final InetSocketAddress LOOPBACK = new InetSocketAddress(InetAddress.getLoopbackAddress(), 8080);

    private final Access loopback = new Access(Map.of(), Map.of(), LOOPBACK);
    private final Access withTokens =
            new Access(Map.of("alice", "abc.123", "bob", "xyz"), Map.of("bob", Rights.parse("view")), LOOPBACK);

    @Test
    void refusesToListenBeyondLoopbackWithoutAToken() throws UnknownHostException {
        InetSocketAddress everywhere = new InetSocketAddress(InetAddress.getByAddress(new byte[4]), 8080);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Access(Map.of(), Map.of(), everywhere))
                .withMessageContaining("set a bearer token");
        assertThat(new Access(Map.of("alice", "abc"), Map.of(), everywhere).needsCredentials())
                .isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "localhost",
                "localhost:8080",
                "LOCALHOST:1",
                "127.0.0.1:8080",
                "127.1.2.3",
                "[::1]:8080",
                "[::1]"
            })
    void answersLoopbackHostsWithoutCredentials(String host) {
        assertThat(check(loopback, "Host", host)).isEqualTo(0);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "evil.example",
                "evil.example:8080",
                "localhost.evil.example",
                "127.0.0.1.evil.example",
                "10.0.0.1",
                ""
            })
    void refusesForeignHostsSinceABrowserMayHaveBeenToldToComeHere(String host) {
        assertThat(check(loopback, "Host", host)).isEqualTo(403);
    }

    @ParameterizedTest
    @CsvSource({
        "http://localhost:8080, 0",
        "http://localhost:3000, 403",
        "https://localhost:8080, 403",
        "http://evil.example, 403",
        "null, 403"
    })
    void answersOnlyWebPagesOfItsOwnOrigin(String origin, int status) {
        assertThat(check(loopback, "Host", "localhost:8080", "Origin", origin)).isEqualTo(status);
    }

    @Test
    void refusesWhatABrowserSaysComesFromAnotherSite() {
        assertThat(check(loopback, "Host", "localhost", "Sec-Fetch-Site", "cross-site"))
                .isEqualTo(403);
        assertThat(check(loopback, "Host", "localhost", "Sec-Fetch-Site", "none"))
                .isEqualTo(0);
    }

    @Test
    void namesTheCallerByItsToken() {
        assertThat(withTokens
                        .check(headers("Authorization", "Bearer abc.123"), false)
                        .name())
                .isEqualTo("alice");
        assertThat(withTokens
                        .check(headers("Authorization", "bearer xyz"), false)
                        .name())
                .isEqualTo("bob");
    }

    @Test
    void givesACallerItsRightsAndAllOfThemIfNoneAreNamed() {
        assertThat(withTokens
                        .check(headers("Authorization", "Bearer xyz"), false)
                        .rights()
                        .includes(Right.RUN, SOME))
                .isFalse();
        assertThat(withTokens
                        .check(headers("Authorization", "Bearer abc.123"), false)
                        .rights())
                .isSameAs(Rights.all());
        assertThat(loopback.check(headers("Host", "localhost"), false).rights()).isSameAs(Rights.all());
        assertThat(withTokens.check(headers(), true).rights().includes(Right.VIEW, SOME))
                .isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Bearer abc.12", "Bearer abc.1234", "Bearer ", "Basic abc.123", "abc.123", "Bearer alice"})
    void refusesAnythingButAKnownToken(String authorization) {
        assertThat(check(withTokens, "Authorization", authorization)).isEqualTo(401);
        assertThat(check(withTokens)).isEqualTo(401);
    }

    @Test
    void takesATokenAsThePasswordOfItsNameToo() {
        assertThat(withTokens
                        .check(headers("Authorization", basic("alice:abc.123")), false)
                        .name())
                .isEqualTo("alice");
        assertThat(withTokens
                        .check(
                                headers(
                                        "authorization",
                                        "basic" + basic("bob:xyz").substring(5)),
                                false)
                        .name())
                .isEqualTo("bob");
    }

    @ParameterizedTest
    @ValueSource(strings = {"alice:xyz", "alice:", "alice", ":abc.123", "", "carol:abc.123"})
    void refusesAPasswordThatIsNotTheTokenOfThatName(String pair) {
        assertThat(check(withTokens, "Authorization", basic(pair))).isEqualTo(401);
    }

    @Test
    void refusesPasswordsThatABrowserSendsForAPageOfAnotherSite() {
        String password = basic("alice:abc.123");
        assertThat(check(withTokens, "Authorization", password, "Host", "robots", "Origin", "http://evil.example"))
                .isEqualTo(403);
        assertThat(check(withTokens, "Authorization", password, "Sec-Fetch-Site", "cross-site"))
                .isEqualTo(403);
        assertThat(check(withTokens, "Authorization", password, "Host", "robots", "Origin", "http://robots"))
                .isEqualTo(0);
    }

    private static String basic(String pair) {
        return "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "two words", "line\nend"})
    void refusesATokenThatCannotStandInAHeader(String token) {
        assertThatIllegalArgumentException().isThrownBy(() -> new Access(Map.of("alice", token), Map.of(), LOOPBACK));
    }

    private static int check(Access access, String... headers) {
        try {
            access.check(headers(headers), false);
            return 0;
        } catch (Problem problem) {
            return problem.status();
        }
    }

    private static HttpHeaders headers(String... namesAndValues) {
        HttpHeaders headers = new DefaultHttpHeaders();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            headers.add(namesAndValues[i], namesAndValues[i + 1]);
        }
        return headers;
    }
}
