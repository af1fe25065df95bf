package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRequest;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TcpFallbackTest {
    @Test
    void agentUsesTcpWhereOnlyTcpGetsThrough(@TempDir Path directory) throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try (TestServer server = new TestServer(directory, builder -> builder);
                ServerSocket front = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                TestAgent agent = TestAgent.echoing()) {
            threads.submit(() -> {
                while (!front.isClosed()) {
                    Socket client = front.accept();
                    Socket behind = new Socket(InetAddress.getLoopbackAddress(), server.address.port());
                    threads.submit(() -> copy(client, behind));
                    threads.submit(() -> copy(behind, client));
                }
                return null;
            });

            agent.start(server.link(agent, "a1", Transport.AUTO)
                    .servers(List.of(new ServerAddress("127.0.0.1", front.getLocalPort()))));

            await().atMost(TestServer.PATIENCE).until(() -> !agent.connections.isEmpty());
            assertThat(agent.connections).containsExactly(Transport.TCP);
            assertThat(server.ended(server.submit(CommandRequest.toAgent("a1", "echo")))
                            .reason())
                    .isEqualTo(Reason.OK);
        } finally {
            threads.shutdownNow();
        }
    }

    private static Void copy(Socket from, Socket to) throws IOException {
        try (InputStream in = from.getInputStream();
                OutputStream out = to.getOutputStream()) {
            in.transferTo(out);
        }
        return null;
    }
}
