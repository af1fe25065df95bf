package io.github.commandway.http;

import io.netty.handler.codec.http.HttpHeaders;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Who may call. With tokens: whoever has one, as a bearer token or, for clients that can only be given a URL, as the password of its name. Without tokens the server is only on loopback, and there it refuses what a web page in the
 * user's browser could send: requests that name another host (DNS rebinding) or come from another origin.
 */
final class Access {
    private static final Pattern TOKEN = Pattern.compile("[A-Za-z0-9._~+/-]+=*");
    private static final Pattern LOOPBACK_NAME = Pattern.compile("localhost|127(\\.\\d{1,3}){3}|\\[::1]");
    private static final Pattern PORT = Pattern.compile(":\\d{0,5}$");
    private static final String BASIC = "Basic ";
    private static final String SCHEME = "Bearer ";
    private static final Set<String> OWN_SITES = Set.of("same-origin", "none");

    private final Map<String, byte[]> digestsByName = new HashMap<>();
    private final Map<String, Rights> rights;
    private final String boundName;

    /**
     * @param tokens the name of the caller to its token; empty for none
     * @param rights the name of the caller to what it may do
     * @throws IllegalArgumentException if a token cannot stand in a header, or there is none and the address is not loopback
     */
    Access(Map<String, String> tokens, Map<String, Rights> rights, InetSocketAddress address) {
        if (tokens.isEmpty() && (address.isUnresolved() || !address.getAddress().isLoopbackAddress())) {
            throw new IllegalArgumentException(
                    "refusing to listen on " + address.getHostString() + ":" + address.getPort()
                            + " without credentials, since anybody who reaches it could run commands: set a bearer token,"
                            + " or listen on a loopback address such as 127.0.0.1");
        }
        tokens.forEach((name, token) -> {
            if (name.isBlank() || !TOKEN.matcher(token).matches()) {
                throw new IllegalArgumentException("the bearer token of '" + name
                        + "' must have a name and consist of letters, digits and . _ ~ + / - (RFC 6750, section 2.1)");
            }
            digestsByName.put(name, digest(token));
        });
        this.rights = Map.copyOf(rights);
        boundName = address.getHostString().toLowerCase(Locale.ROOT);
    }

    boolean needsCredentials() {
        return !digestsByName.isEmpty();
    }

    /**
     * Checks a request.
     *
     * @return the caller; one without a name if nobody has to be anyone, and without rights if that is so only for this route
     * @throws Problem 401 or 403
     */
    Caller check(HttpHeaders headers, boolean open) {
        if (!needsCredentials()) {
            checkComesFromHere(headers);
            return Caller.ANYBODY;
        }
        if (open) {
            return Caller.NOBODY;
        }
        String authorization = headers.get("Authorization");
        if (authorization != null && authorization.regionMatches(true, 0, BASIC, 0, BASIC.length())) {
            // which a browser may add by itself, whatever page the request comes from
            checkComesFromNoOtherSite(headers);
            return caller(authenticateByPassword(
                    authorization.substring(BASIC.length()).strip()));
        }
        return caller(authenticate(authorization));
    }

    private Caller caller(String name) {
        return new Caller(name, rights.getOrDefault(name, Rights.all()));
    }

    private String authenticate(@Nullable String authorization) {
        if (authorization == null) {
            throw new Problem(ProblemType.UNAUTHENTICATED, "a bearer token is needed: Authorization: Bearer <token>")
                    .header("WWW-Authenticate", "Bearer realm=\"commandway\"");
        }
        String found = null;
        if (authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
            byte[] digest = digest(authorization.substring(SCHEME.length()).strip());
            for (Map.Entry<String, byte[]> known : digestsByName.entrySet()) {
                // all are compared, and whole digests, so that the time taken tells nothing
                if (MessageDigest.isEqual(known.getValue(), digest)) {
                    found = known.getKey();
                }
            }
        }
        if (found == null) {
            throw new Problem(ProblemType.UNAUTHENTICATED, "the bearer token is not one that this server knows")
                    .header("WWW-Authenticate", "Bearer realm=\"commandway\", error=\"invalid_token\"");
        }
        return found;
    }

    private String authenticateByPassword(String credentials) {
        String name = "";
        byte[] given = {};
        try {
            String pair = new String(Base64.getDecoder().decode(credentials), StandardCharsets.UTF_8);
            int colon = Math.max(0, pair.indexOf(':'));
            name = pair.substring(0, colon);
            given = digest(pair.substring(Math.min(colon + 1, pair.length())));
        } catch (IllegalArgumentException notBase64) {
            // the same answer as for a wrong password
        }
        byte[] known = digestsByName.get(name);
        if (known == null || !MessageDigest.isEqual(known, given)) {
            throw new Problem(ProblemType.UNAUTHENTICATED, "the name and token are not ones that this server knows")
                    .header("WWW-Authenticate", "Bearer realm=\"commandway\", error=\"invalid_token\"");
        }
        return name;
    }

    private void checkComesFromHere(HttpHeaders headers) {
        String host = headers.get("Host");
        if (host == null || headers.getAll("Host").size() != 1) {
            throw new Problem(ProblemType.INVALID_HEADER, "the header Host must be there once").at("Host");
        }
        String name = PORT.matcher(host).replaceFirst("").toLowerCase(Locale.ROOT);
        if (!LOOPBACK_NAME.matcher(name).matches() && !name.equals(boundName)) {
            throw new Problem(
                            ProblemType.FOREIGN_HOST,
                            "without credentials only requests to localhost, 127.0.0.1 or [::1] are answered")
                    .at("Host");
        }
        checkComesFromNoOtherSite(headers);
    }

    private static void checkComesFromNoOtherSite(HttpHeaders headers) {
        String origin = headers.get("Origin");
        if (origin != null && !origin.equalsIgnoreCase("http://" + headers.get("Host"))) {
            throw foreign("Origin");
        }
        String site = headers.get("Sec-Fetch-Site");
        if (site != null && !OWN_SITES.contains(site)) {
            throw foreign("Sec-Fetch-Site");
        }
    }

    private static Problem foreign(String header) {
        return new Problem(
                        ProblemType.FOREIGN_ORIGIN,
                        "without a bearer token no requests from web pages of another origin are answered")
                .at(header);
    }

    private static byte[] digest(String token) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
