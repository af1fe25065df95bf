package io.github.commandway.quic;

/**
 * Where a server is.
 *
 * @param host a name or a literal IP address; it is looked up at each attempt to connect
 * @param port 1 to 65535, the same number for UDP and TCP
 */
public record ServerAddress(String host, int port) {
    /** The port of a server that was told no other. */
    public static final int DEFAULT_PORT = 8474;

    /** Checks both parts. */
    public ServerAddress {
        if (host.isBlank()) {
            throw new IllegalArgumentException("a server address needs a host");
        }
        if (port < 1 || port > 65535) {
            throw new IllegalArgumentException("port " + port + " of server '" + host + "' is not within 1..65535");
        }
    }

    /**
     * Reads {@code host}, {@code host:port} or {@code [IPv6]:port}; without a port it is {@link #DEFAULT_PORT}.
     *
     * @throws IllegalArgumentException if it is none of these
     */
    public static ServerAddress parse(String text) {
        String trimmed = text.strip();
        int bracket = trimmed.lastIndexOf(']');
        int colon = trimmed.lastIndexOf(':');
        boolean hasPort = colon > bracket && (bracket >= 0 || trimmed.indexOf(':') == colon);
        String host = hasPort ? trimmed.substring(0, colon) : trimmed;
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        }
        try {
            return new ServerAddress(host, hasPort ? Integer.parseInt(trimmed.substring(colon + 1)) : DEFAULT_PORT);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("server address '" + text + "' does not end in a port number", e);
        }
    }

    @Override
    public String toString() {
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
}
