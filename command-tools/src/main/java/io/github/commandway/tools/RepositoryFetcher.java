package io.github.commandway.tools;

import io.github.commandway.tools.RepositoryException.Code;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Reads files below one address, a folder or an HTTP server, with limits of size and time. Thread-safe. */
final class RepositoryFetcher {
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);
    private static final int OK = 200;
    private static final int CHUNK = 64 << 10;

    private final URI location;
    private final @Nullable HttpClient client;

    /** @throws IllegalArgumentException if it is neither a {@code file:} nor an {@code http(s):} address, or has more than a path */
    RepositoryFetcher(URI location) {
        String scheme = location.getScheme() == null ? "" : location.getScheme();
        if (location.getRawQuery() != null || location.getRawFragment() != null || location.getRawUserInfo() != null) {
            throw new IllegalArgumentException(
                    "the address of a repository should have no user, query or fragment; this one has");
        }
        boolean http = List.of("http", "https").contains(scheme);
        if (http ? location.getHost() == null : !scheme.equals("file")) {
            throw new IllegalArgumentException("the address of a repository should begin with https://, http:// or"
                    + " file:///, not '" + location + "'");
        }
        String text = location.toString();
        this.location = URI.create(text.endsWith("/") ? text : text + "/");
        this.client = http
                ? HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_1_1)
                        .followRedirects(HttpClient.Redirect.NORMAL)
                        .connectTimeout(CONNECT_TIMEOUT)
                        .build()
                : null;
    }

    URI location() {
        return location;
    }

    /**
     * Copies a file.
     *
     * @param limit the most bytes
     * @throws RepositoryException if it cannot be had; {@code out} may have got a part of it
     */
    void fetch(String path, long limit, Duration timeout, OutputStream out) throws IOException, InterruptedException {
        URI uri = location.resolve(path);
        if (client == null) {
            copy(Path.of(uri), limit, out);
        } else {
            get(client, uri, limit, timeout, out);
        }
    }

    private static void copy(Path file, long limit, OutputStream out) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] buffer = new byte[CHUNK];
            long sum = 0;
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                sum += count;
                if (sum > limit) {
                    throw tooLarge(file.toUri(), limit);
                }
                out.write(buffer, 0, count);
            }
        } catch (NoSuchFileException e) {
            throw new RepositoryException(Code.UNREACHABLE, "there is no file " + file, e);
        } catch (FileSystemException e) {
            throw new RepositoryException(Code.UNREACHABLE, "it cannot be read: " + e.getMessage(), e);
        }
    }

    private static RepositoryException tooLarge(URI uri, long limit) {
        return new RepositoryException(
                Code.UNTRUSTED, uri + " is longer than the " + limit + " bytes that it may have");
    }

    private static void get(HttpClient client, URI uri, long limit, Duration timeout, OutputStream out)
            throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(uri).timeout(timeout).GET().build();
        CompletableFuture<HttpResponse<Void>> answer = client.sendAsync(request, info -> body(info, uri, limit, out));
        try {
            // the request's own timeout ends with the headers
            answer.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new RepositoryException(
                    Code.UNREACHABLE, uri + " did not come within " + timeout.toSeconds() + " s", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RepositoryException own) {
                throw own;
            }
            String why =
                    e.getCause() instanceof ConnectException ? "nobody answers there" : String.valueOf(e.getCause());
            throw new RepositoryException(Code.UNREACHABLE, uri + " could not be read: " + why, e);
        } finally {
            answer.cancel(true);
        }
    }

    private static BodySubscriber<Void> body(HttpResponse.ResponseInfo info, URI uri, long limit, OutputStream out) {
        RepositoryException problem = null;
        if (info.statusCode() != OK) {
            problem = new RepositoryException(
                    Code.UNREACHABLE, uri + " was answered with status " + info.statusCode() + " instead of " + OK);
        } else if (info.headers().firstValueAsLong("content-length").orElse(0) > limit) {
            problem = tooLarge(uri, limit);
        }
        return new LimitedBody(uri, limit, out, problem);
    }

    /** Writes a body as it comes. */
    private static final class LimitedBody implements BodySubscriber<Void> {
        private final URI uri;
        private final OutputStream out;
        private final @Nullable RepositoryException problem;
        private final CompletableFuture<Void> done = new CompletableFuture<>();
        private final long limit;
        private long left;
        private Flow.@Nullable Subscription subscription;

        LimitedBody(URI uri, long limit, OutputStream out, @Nullable RepositoryException problem) {
            this.uri = uri;
            this.limit = limit;
            this.left = limit;
            this.out = out;
            this.problem = problem;
        }

        @Override
        public CompletionStage<Void> getBody() {
            return done;
        }

        @Override
        public void onSubscribe(Flow.Subscription given) {
            subscription = given;
            if (problem == null) {
                given.request(1);
            } else {
                fail(problem);
            }
        }

        private void fail(IOException why) {
            if (subscription != null) {
                subscription.cancel();
            }
            done.completeExceptionally(why);
        }

        @Override
        public void onNext(List<ByteBuffer> buffers) {
            if (done.isDone() || subscription == null) {
                return;
            }
            try {
                for (ByteBuffer buffer : buffers) {
                    left -= buffer.remaining();
                    if (left < 0) {
                        fail(tooLarge(uri, limit));
                        return;
                    }
                    byte[] bytes = new byte[buffer.remaining()];
                    buffer.get(bytes);
                    out.write(bytes);
                }
                subscription.request(1);
            } catch (IOException e) {
                fail(e);
            }
        }

        @Override
        public void onError(Throwable error) {
            done.completeExceptionally(error);
        }

        @Override
        public void onComplete() {
            done.complete(null);
        }
    }
}
