package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LauncherTest {
    @Test
    void whatTheSystemsEncodingDoesNotHaveIsRefusedAndNotReplaced() {
        assertThatThrownBy(() -> Launcher.requireEncodable(StandardCharsets.US_ASCII, List.of("a", "日本")))
                .hasMessageContaining("has the encoding US-ASCII")
                .hasMessageContaining("LC_ALL=C.UTF-8");
        assertThatCode(() -> {
                    Launcher.requireEncodable(StandardCharsets.US_ASCII, List.of("a", ""));
                    Launcher.requireEncodable(StandardCharsets.UTF_8, List.of("日本", "\uD83D\uDE00"));
                })
                .doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"&calc&\"", "%PATH%", "a|b", "a>b", "a^b", "!x!", "a\r\nb"})
    void anArgumentOfABatchFileCannotBeReadAsACommand(String argument) {
        for (String program : List.of("C:\\tools\\x.bat", "x.CMD")) {
            assertThatThrownBy(() -> Launcher.requireNoBatchSyntax(List.of(program, "fine", argument)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("an argument of a batch file");
        }
        assertThatCode(() -> Launcher.requireNoBatchSyntax(List.of("x.exe", argument)))
                .doesNotThrowAnyException();
    }
}
