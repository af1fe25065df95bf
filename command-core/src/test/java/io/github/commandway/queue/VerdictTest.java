package io.github.commandway.queue;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VerdictTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"success\":false}",
                " {\"message\" : \"no } bottle\", \"success\" :\tfalse , \"n\":[1,{\"success\":true}]}\n",
                "{\"a\":\"\\\\\",\"success\":false}",
                "{\"a\":\"success\",\"success\":false}",
                "{\"success\":true,\"success\":false}",
            })
    void aResultFailsThatSaysSo(String result) {
        CommandException failure = Verdict.of(result.getBytes(StandardCharsets.UTF_8));

        assertThat(failure).isNotNull();
        assertThat(failure.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
        assertThat(Verdict.of(CharBuffer.wrap(result))).isNotNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "done",
                "false",
                "null",
                "{}",
                "[{\"success\":false}]",
                "{\"success\":true}",
                "{\"success\":\"false\"}",
                "{\"success\":0}",
                "{\"success\":null}",
                "{\"success\":false,\"success\":true}",
                "{\"inner\":{\"success\":false}}",
                "{\"inner\":[{\"success\":false}],\"n\":1}",
                "{\"text\":\"\\\"success\\\":false\"}",
                "{\"a\":\"success\",\"b\":false}",
                "{\"unsuccess\":false}",
                "{\"success\":false} and more",
                "{\"success\":false",
                "{\"success\":false,\"a\":\"",
                "{\"success\"",
                "{\"success\":",
                "\"{\\\"success\\\":false}\"",
            })
    void anyOtherResultSaysNothingOfTheKind(String result) {
        assertThat(Verdict.of(result.getBytes(StandardCharsets.UTF_8))).isNull();
    }

    @Test
    void noResultSaysNothing() {
        assertThat(Verdict.of(null)).isNull();
        assertThat(Verdict.of(7)).isNull();
    }

    @Test
    void itReadsAnyBytesToTheirEnd() {
        Random random = new Random(7);
        byte[] pieces = "{}[]\":,\\success\":false \n".getBytes(StandardCharsets.US_ASCII);
        for (int round = 0; round < 50_000; round++) {
            byte[] bytes = new byte[random.nextInt(40)];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = random.nextInt(8) == 0 ? (byte) random.nextInt(256) : pieces[random.nextInt(pieces.length)];
            }
            CommandException verdict = Verdict.of(bytes);
            assertThat(verdict == null || new String(bytes, StandardCharsets.ISO_8859_1).contains("\"success\""))
                    .isTrue();
        }
    }
}
