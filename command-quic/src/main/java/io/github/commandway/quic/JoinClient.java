package io.github.commandway.quic;

import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import io.github.commandway.quic.identity.JoinToken;
import java.time.Clock;
import java.time.Duration;

/** Gets a new agent its certificate from a server, by a join token. */
public final class JoinClient {
    private JoinClient() {}

    /**
     * Asks the server for a certificate. The server is known by the fingerprint in the token; the token's secret is sent to no other.
     * Blocks, and uses a thread of its own meanwhile.
     *
     * @param transport {@link Transport#AUTO} unless one is to be left out
     * @param request the key that the certificate is for
     * @param timeout the longest time that it may take, from 1 ms
     * @return the identity, which nobody has saved yet
     * @throws JoinException if the server refused, was not reached in time, or is another than the token's
     * @throws InterruptedException if the calling thread was interrupted; the token may have been used
     */
    public static Identity join(
            ServerAddress server,
            Transport transport,
            JoinToken token,
            String agentId,
            IdentityRequest request,
            Clock clock,
            Duration timeout)
            throws JoinException, InterruptedException {
        throw new UnsupportedOperationException();
    }
}
