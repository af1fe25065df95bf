package io.github.commandway.process;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.process.ProcessFixture.Recorded;
import io.github.commandway.process.ProcessFixture.Seen;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a step can say, and what becomes of it. */
class ProcessStepTest {
    private final ProcessFixture fixture = new ProcessFixture().start();

    @AfterEach
    void close() {
        fixture.close();
    }

    @Test
    void yieldsComeBackWithTheTagThatTheProcessGaveThem() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(ProcessFixture.echo(7), 70);
                out.yield(ProcessFixture.echo(8), 80);
                out.yield(ProcessFixture.echo(9), 90);
                out.waitForYields();
            } else {
                out.done("end");
            }
        });
        assertThat(process.awaitExit()).isEqualTo(new Exit(process.pid, "end", null));
        assertThat(process.seen())
                .extracting(Seen::tag, Seen::data)
                .containsExactly(
                        org.assertj.core.api.Assertions.tuple(70L, 7),
                        org.assertj.core.api.Assertions.tuple(80L, 8),
                        org.assertj.core.api.Assertions.tuple(90L, 9));
        assertThat(process.closed).hasValue(1);
    }
}
