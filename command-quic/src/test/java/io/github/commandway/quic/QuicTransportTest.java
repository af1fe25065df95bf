package io.github.commandway.quic;

final class QuicTransportTest extends AgentTransportContract {
    QuicTransportTest() {
        super(Transport.QUIC);
    }
}
