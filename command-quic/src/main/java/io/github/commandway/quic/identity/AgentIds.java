package io.github.commandway.quic.identity;

import io.github.commandway.manager.Target;
import java.util.Optional;

/**
 * The rule for agent ids, and their form in a certificate.
 *
 * <p>An id has 1 to {@value #MAX_LENGTH} characters out of {@code A-Z a-z 0-9 . _ : -} and starts with a letter or a
 * digit. All of these may stand unescaped in the namespace-specific string of a URN (RFC 8141 section 2), so the URI
 * in the certificate is {@code urn:commandway:agent:} followed by the id as it is.
 */
public final class AgentIds {

    /** The longest agent id, in characters. */
    public static final int MAX_LENGTH = Target.Agent.MAX_LENGTH;

    private static final String URI_PREFIX = "urn:commandway:agent:";

    private AgentIds() {}

    /** Whether {@code id} follows the rule. */
    public static boolean isValid(String id) {
        return Target.Agent.isValidId(id);
    }

    /**
     * Returns {@code id} if it follows the rule.
     *
     * @throws IllegalArgumentException with a message that states the rule, otherwise
     */
    public static String requireValid(String id) {
        if (!isValid(id)) {
            throw new IllegalArgumentException("agent id " + quoted(id) + " is not valid: 1 to " + MAX_LENGTH
                    + " letters, digits, '.', '_', ':' or '-', starting with a letter or a digit");
        }
        return id;
    }

    static String toUri(String id) {
        return URI_PREFIX + requireValid(id);
    }

    /** Whether {@code uri} claims to name an agent, validly or not. */
    static boolean isAgentUri(String uri) {
        return uri.startsWith(URI_PREFIX);
    }

    static Optional<String> fromUri(String uri) {
        return isAgentUri(uri)
                ? Optional.of(uri.substring(URI_PREFIX.length())).filter(AgentIds::isValid)
                : Optional.empty();
    }

    // An id comes from the other end: it must not break a log line or fill it.
    private static String quoted(String id) {
        String shown = id.length() <= 40 ? id : id.substring(0, 40) + "...";
        return "'" + shown.replaceAll("[^\\x20-\\x7e]", "?") + "'";
    }
}
