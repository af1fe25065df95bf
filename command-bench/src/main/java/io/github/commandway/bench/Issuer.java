package io.github.commandway.bench;

import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;

/** Issues the certificates of agents. They all share one key, which makes thousands of them quickly and changes nothing for a server. */
final class Issuer {

    private static final Duration VALIDITY = Duration.ofDays(1);

    private final Clock clock = Clock.systemUTC();
    private final CertificateAuthority authority;
    private final IdentityRequest request;

    /** Opens the authority in {@code directory}, or makes it. */
    Issuer(Path directory) throws IOException {
        SecureRandom random = new SecureRandom();
        authority = CertificateAuthority.openOrCreate(directory.resolve("authority"), clock, random);
        request = IdentityRequest.create(random);
    }

    CertificateAuthority authority() {
        return authority;
    }

    Identity server() {
        return authority.issueServer(List.of("localhost"), VALIDITY);
    }

    Identity agent(String agentId) throws IOException {
        return request.complete(authority.issueAgent(agentId, request.der(), VALIDITY), authority.fingerprint(), clock);
    }
}
