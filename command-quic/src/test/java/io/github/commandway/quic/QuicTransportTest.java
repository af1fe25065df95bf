package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class QuicTransportTest extends AgentTransportContract {
    QuicTransportTest() {
        super(Transport.QUIC);
    }

    @Test
    void severalEventLoopsServeAgentsAtOnePort(@TempDir Path directory) throws Exception {
        try (TestServer several = new TestServer(directory, builder -> builder.eventLoops(3))) {
            IntStream.range(0, 12).forEach(i -> several.connect(TestAgent.echoing(), "b" + i, Transport.QUIC));

            List<CommandHandle> handles = IntStream.range(0, 120)
                    .mapToObj(i -> several.submit(CommandRequest.toAgent("b" + i % 12, "echo")))
                    .toList();

            assertThat(handles)
                    .allSatisfy(
                            handle -> assertThat(several.ended(handle).status()).isEqualTo(CommandStatus.COMPLETED));
            assertThat(several.server.connectedCount()).isEqualTo(12);
        }
    }
}
