package io.github.commandway.quic.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JoinTokenTest {

    private static final String FINGERPRINT = "0123456789abcdef".repeat(4);

    private final JoinToken token = new JoinToken("abcdefghij_-", secret(), FINGERPRINT);

    private static byte[] secret() {
        byte[] secret = new byte[JoinToken.SECRET_BYTES];
        Arrays.fill(secret, (byte) 0xfb);
        return secret;
    }

    @Test
    void textIsReadBack() {
        assertThat(token.text()).startsWith("cwj1.abcdefghij_-.").hasSize(94);
        JoinToken read = JoinToken.parse("  " + token.text() + "\n");
        assertThat(read.text()).isEqualTo(token.text());
        assertThat(read.id()).isEqualTo("abcdefghij_-");
        assertThat(read.caFingerprint()).isEqualTo(FINGERPRINT);
        assertThat(read.hasSecret(token.secretHash())).isTrue();
        assertThat(new JoinToken(token.id(), new byte[24], FINGERPRINT).hasSecret(token.secretHash()))
                .isFalse();
    }

    @Test
    void textFormForLogsHasNoSecret() {
        assertThat(token).hasToString("JoinToken[abcdefghij_-]");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "cwj1", "cwj1...", "cwj2.abcdefghij_-.", "secret-secret"})
    void otherTextIsRefusedWithoutRepeatingIt(String text) {
        assertThatThrownBy(() -> JoinToken.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("not a join token")
                .hasMessageNotContaining("secret-secret");
    }

    @Test
    void aCutTokenIsRefused() {
        for (int i = 0; i < token.text().length(); i++) {
            String cut = token.text().substring(0, i);
            assertThatThrownBy(() -> JoinToken.parse(cut)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void fileWithSomethingElseIsRefusedByName(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("join-token");
        Files.writeString(file, token.text() + "\n");
        assertThat(JoinToken.read(file).text()).isEqualTo(token.text());
        Files.writeString(file, "hello");
        assertThatThrownBy(() -> JoinToken.read(file))
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("join-token");
    }
}
