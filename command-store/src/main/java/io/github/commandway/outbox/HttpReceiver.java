package io.github.commandway.outbox;

import io.github.commandway.dispatch.CommandException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Somebody who is posted to, and what becomes of that: it was taken, it was refused, or the receiver is away ({@link PublisherUnavailableException}). Redirects are not followed. Safe for use by
 * many threads.
 */
final class HttpReceiver {
    private static final Set<Integer> UNAVAILABLE = Set.of(429, 502, 503, 504);
    private static final int MAX_ANSWER_BYTES = 65_536;

    private final String shown;
    private final Duration timeout;
    private final HttpClient client;

    /**
     * Makes one.
     *
     * @param shown its name in messages, which everybody may see
     * @param timeout for connecting and answering
     */
    HttpReceiver(String shown, Duration timeout) {
        this.shown = shown;
        this.timeout = timeout;
        client = HttpClient.newBuilder()
                .connectTimeout(timeout)
                .followRedirects(HttpClient.Redirect.NEVER)
                .build();
    }

    /** Whether there can be a receiver at this address. */
    static boolean isAddress(URI address) {
        String scheme = address.getScheme();
        return ("http".equalsIgnoreCase(scheme) || "https".equalsIgnoreCase(scheme)) && address.getHost() != null;
    }

    /** The timeout, if it is long enough to be one. */
    static Duration requireTimeout(Duration timeout) {
        if (timeout.toMillis() < 1) {
            throw new IllegalArgumentException("a timeout of " + timeout + " is too short");
        }
        return timeout;
    }

    /** Decides what an answer from 200 to 299 means. */
    @FunctionalInterface
    interface Check {
        /**
         * Looks at it.
         *
         * @throws IOException if it is no success after all
         */
        void check(HttpResponse<byte[]> answer) throws IOException;
    }

    /** Posts to it. The future completes when the answer is there and its check has let it pass. */
    CompletableFuture<Void> post(HttpRequest.Builder request, Check check) {
        CompletableFuture<HttpResponse<byte[]>> exchange =
                client.sendAsync(request.timeout(timeout).build(), info -> new LimitedBody(MAX_ANSWER_BYTES));
        CompletableFuture<Void> outcome = new CompletableFuture<>();
        exchange.orTimeout(timeout.toMillis(), TimeUnit.MILLISECONDS).whenComplete((answer, error) -> {
            if (error == null) {
                complete(outcome, answer, check);
            } else {
                // a future that timed out leaves its request running
                exchange.cancel(true);
                outcome.completeExceptionally(explain(error));
            }
        });
        return outcome;
    }

    private void complete(CompletableFuture<Void> outcome, HttpResponse<byte[]> answer, Check check) {
        int status = answer.statusCode();
        if (UNAVAILABLE.contains(status)) {
            outcome.completeExceptionally(new PublisherUnavailableException(shown + " answered " + status));
        } else if (status < 200 || status > 299) {
            outcome.completeExceptionally(new IOException(shown + " answered " + status));
        } else {
            try {
                check.check(answer);
                outcome.complete(null);
            } catch (IOException | RuntimeException e) {
                outcome.completeExceptionally(e);
            }
        }
    }

    private Throwable explain(Throwable error) {
        Throwable cause = CommandException.unwrap(error);
        if (cause instanceof ConnectException || cause instanceof HttpConnectTimeoutException) {
            return new PublisherUnavailableException(shown + " cannot be reached", cause);
        }
        return new IOException(
                cause instanceof TimeoutException
                        ? shown + " has not answered within " + timeout
                        : shown + " was not told: " + cause.getMessage(),
                cause);
    }
}
