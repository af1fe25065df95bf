package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What holds on every transport. */
abstract class AgentTransportContract {
    private final Transport transport;
    private TestServer server;

    AgentTransportContract(Transport transport) {
        this.transport = transport;
    }

    @BeforeEach
    void start(@TempDir Path directory) throws Exception {
        server = new TestServer(directory, builder -> builder);
    }

    @AfterEach
    void stop() throws Exception {
        server.close();
    }

    @Test
    void commandReachesTheAgentAndItsResultComesBack() {
        server.connect(TestAgent.echoing(), "a1", transport);

        CommandHandle handle =
                server.submit(CommandRequest.toAgent("a1", "echo").payload(TestAgent.bytes("hello")));

        CommandRecord record = server.ended(handle);
        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.reason()).isEqualTo(Reason.OK);
        assertThat(record.result()).asString().isEqualTo("hello");
    }

    @Test
    void longPayloadAndResultArriveWhole() {
        TestAgent agent = server.connect(TestAgent.echoing(), "a1", transport);
        byte[] payload = new byte[5 << 20];
        new Random(1).nextBytes(payload);

        CommandRecord record =
                server.ended(server.submit(CommandRequest.toAgent("a1", "echo").payload(payload)));

        assertThat(record.status()).as(record.toString()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.result()).isEqualTo(payload);
        assertThat(agent.assigned).hasSize(1);
    }
}
