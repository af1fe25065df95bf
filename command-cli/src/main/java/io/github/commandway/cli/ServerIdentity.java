package io.github.commandway.cli;

import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.JoinTokens;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;

/**
 * A server's certificate authority and join tokens in its data folder.
 *
 * @param authority in the sub-folder {@code ca}; made when it is first needed
 * @param tokens in the folder itself
 */
record ServerIdentity(CertificateAuthority authority, JoinTokens tokens) {
    /** An agent renews its certificate long before. */
    private static final Duration AGENT_VALIDITY = Duration.ofDays(90);

    /** Longer than any process runs: a new certificate is made at each start. */
    private static final Duration SERVER_VALIDITY = Duration.ofDays(3650);

    static ServerIdentity open(Path data) throws IOException {
        Clock clock = Clock.systemUTC();
        SecureRandom random = new SecureRandom();
        CertificateAuthority authority = CertificateAuthority.openOrCreate(data.resolve("ca"), clock, random);
        return new ServerIdentity(authority, JoinTokens.open(data, authority, AGENT_VALIDITY, clock, random));
    }

    /** A certificate for the server itself. */
    Identity server() {
        return authority.issueServer(List.of(), SERVER_VALIDITY);
    }
}
