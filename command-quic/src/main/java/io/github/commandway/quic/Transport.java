package io.github.commandway.quic;

/** What an agent's connection runs on. */
public enum Transport {
    /** QUIC; where that cannot be reached, TLS over TCP. */
    AUTO,
    /** QUIC only. */
    QUIC,
    /** TLS over TCP only. */
    TCP
}
