package io.github.commandway.quic;

final class TcpTransportTest extends AgentTransportContract {
    TcpTransportTest() {
        super(Transport.TCP);
    }
}
