/** Agents that are reached over QUIC, or over TLS on TCP where UDP is blocked: the server's end and the agent's end. */
package io.github.commandway.quic;
