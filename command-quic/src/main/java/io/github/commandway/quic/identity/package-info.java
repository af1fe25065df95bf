/**
 * Who is who between a server and its agents: mutual TLS in which the agent id is part of the agent's certificate.
 *
 * <p>{@link io.github.commandway.quic.identity.CertificateAuthority} issues, {@link
 * io.github.commandway.quic.identity.Identity} is what one end presents and trusts, and {@link
 * io.github.commandway.quic.identity.JoinTokens} decides which new agent gets a certificate. Everything here reads and
 * writes files and computes signatures, so it blocks: call it off the event loop.
 */
package io.github.commandway.quic.identity;
