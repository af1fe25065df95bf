package io.github.commandway.cli;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The HTTP API of a running server, as the client commands use it. Every failure is an {@link ApiException}. */
final class ApiClient {
    static final JsonMapper JSON = JsonMapper.shared();

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(30);

    /** A server sends at least a comment every 15 s. */
    private static final Duration LONGEST_SILENCE = Duration.ofSeconds(45);

    private final HttpClient client = HttpClient.newBuilder()
            .connectTimeout(CONNECT_TIMEOUT)
            .version(HttpClient.Version.HTTP_1_1)
            .build();
    private final Duration longestSilence;
    private final URI server;
    private final @Nullable String token;

    /**
     * A client of one server.
     *
     * @throws UsageException if {@code server} is not the address of one
     */
    ApiClient(String server, @Nullable String token) {
        this(server, token, LONGEST_SILENCE);
    }

    /** The same with another time after which a stream of events from which nothing comes counts as lost. */
    ApiClient(String server, @Nullable String token, Duration longestSilence) {
        this.longestSilence = longestSilence;
        try {
            this.server = URI.create(server.endsWith("/") ? server.substring(0, server.length() - 1) : server);
        } catch (IllegalArgumentException e) {
            throw new UsageException("'" + server + "' is not an address such as http://127.0.0.1:8080", e);
        }
        String scheme = String.valueOf(this.server.getScheme());
        if (!(scheme.equals("http") || scheme.equals("https")) || this.server.getHost() == null) {
            throw new UsageException("'" + server + "' is not an address such as http://127.0.0.1:8080");
        }
        this.token = token;
    }

    URI server() {
        return server;
    }

    JsonNode get(String path) throws ApiException, InterruptedException {
        return exchange(request(path)
                .timeout(ANSWER_TIMEOUT)
                .header("Accept", "application/json")
                .GET()
                .build());
    }

    /** Like {@link #get}, for an answer for which the server waits up to {@code wait}. */
    JsonNode getAfter(String path, Duration wait) throws ApiException, InterruptedException {
        return exchange(request(path)
                .timeout(ANSWER_TIMEOUT.plus(wait))
                .header("Prefer", "wait=" + wait.toSeconds())
                .GET()
                .build());
    }

    JsonNode post(String path, JsonNode body, Map<String, String> headers) throws ApiException, InterruptedException {
        HttpRequest.Builder request = request(path)
                .timeout(ANSWER_TIMEOUT)
                .header("Accept", "application/json")
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(body)));
        headers.forEach(request::header);
        return exchange(request.build());
    }

    /**
     * Reads the events of a command as they come, until there are no more, or {@code consumer} wants no more, or the connection ends.
     *
     * @param after the id of the last event that is not wanted again; empty for all
     * @return false if the server says that there is nothing after it and will not be
     */
    boolean follow(String path, String after, Predicate<ServerSentEvent> consumer)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = request(path).timeout(ANSWER_TIMEOUT).header("Accept", "text/event-stream");
        if (!after.isEmpty()) {
            request.header("Last-Event-ID", after);
        }
        HttpResponse<InputStream> response = send(request.GET().build(), HttpResponse.BodyHandlers.ofInputStream());
        try (InputStream body = response.body()) {
            if (response.statusCode() == 204) {
                return false;
            }
            if (response.statusCode() != 200) {
                throw refusal(response.statusCode(), new String(body.readAllBytes(), StandardCharsets.UTF_8));
            }
            try (EventLines lines = new EventLines(body, longestSilence)) {
                ServerSentEvent.read(lines, consumer);
            }
            return true;
        }
    }

    /**
     * Gets something that may be large.
     *
     * @return its bytes as they come; the caller closes it
     */
    InputStream download(String path) throws IOException, InterruptedException {
        HttpResponse<InputStream> response =
                send(request(path).timeout(ANSWER_TIMEOUT).GET().build(), HttpResponse.BodyHandlers.ofInputStream());
        if (response.statusCode() != 200) {
            try (InputStream body = response.body()) {
                throw refusal(response.statusCode(), new String(body.readAllBytes(), StandardCharsets.UTF_8));
            }
        }
        return response.body();
    }

    private HttpRequest.Builder request(String path) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(server + path));
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        return request;
    }

    private JsonNode exchange(HttpRequest request) throws ApiException, InterruptedException {
        HttpResponse<String> response = send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
        if (response.statusCode() / 100 != 2) {
            throw refusal(response.statusCode(), response.body());
        }
        try {
            return JSON.readTree(response.body());
        } catch (JacksonException e) {
            throw new ApiException(ExitCode.FAILED, server + " did not answer in JSON; is it a Commandway server?", e);
        }
    }

    private <T> HttpResponse<T> send(HttpRequest request, HttpResponse.BodyHandler<T> handler)
            throws ApiException, InterruptedException {
        try {
            return client.send(request, handler);
        } catch (ConnectException e) {
            throw new ApiException(
                    ExitCode.UNREACHABLE,
                    "no server answers at " + server + "; start one with 'commandway serve', or name it with --server",
                    e);
        } catch (HttpTimeoutException e) {
            throw new ApiException(ExitCode.UNREACHABLE, "the server at " + server + " did not answer in time", e);
        } catch (IOException e) {
            throw new ApiException(
                    ExitCode.UNREACHABLE, "the connection to " + server + " failed: " + e.getMessage(), e);
        }
    }

    private ApiException refusal(int status, String body) {
        String message = "the server answered with HTTP status " + status;
        try {
            JsonNode problem = JSON.readTree(body);
            if (problem.path("message").isString()) {
                message = problem.path("message").asString();
                if (problem.path("field").isString()) {
                    message += " (" + problem.path("field").asString() + ")";
                }
            }
        } catch (JacksonException e) {
            // whatever answers there does not speak the API; its status is all there is to tell
            return new ApiException(
                    ExitCode.REFUSED, message + " and no JSON; is " + server + " a Commandway server?", e);
        }
        if (status == 401) {
            message += token == null ? "; give a token with --token or COMMANDWAY_CLIENT_TOKEN" : "";
        }
        ExitCode code = switch (status) {
            case 400, 413, 415, 422 -> ExitCode.USAGE;
            case 500 -> ExitCode.FAILED;
            default -> ExitCode.REFUSED;
        };
        return new ApiException(code, message, null);
    }

    /** A path of these segments, and a query of those parameters that have a value. */
    static String path(String base, Map<String, String> parameters) {
        String query = parameters.entrySet().stream()
                .filter(parameter -> !parameter.getValue().isEmpty())
                .map(parameter -> parameter.getKey() + "=" + encoded(parameter.getValue()))
                .collect(Collectors.joining("&"));
        return query.isEmpty() ? base : base + "?" + query;
    }

    static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
