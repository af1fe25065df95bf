package io.github.commandway.http;

import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.IdGenerator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.netty.FutureMono;
import reactor.netty.channel.AbortedException;
import reactor.netty.channel.ChannelOperations;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;

/** Takes every request: checks it, finds its route, reads its body within bounds, and writes what the route answers, or a problem. */
final class RequestHandler {
    private static final Logger LOG = LoggerFactory.getLogger(RequestHandler.class);
    private static final String NO_ROUTE = "none";
    private static final String FORM = "application/x-www-form-urlencoded";
    private static final Set<String> YAML =
            Set.of("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml");
    private static final Set<String> KNOWN_METHODS = Set.of("GET", "HEAD", "POST", "PATCH", "DELETE");
    private static final int SMALL_BODY = 4 << 10;

    private final RouteTable table;
    private final Access access;
    private final RequestReader reader;
    private final int maxBodyBytes;
    private final long maxHeldBytes;
    private final AtomicLong heldBytes = new AtomicLong();
    private final Duration bodyTimeout;
    private final Ends ends;
    private final Slots streams;
    private final CommandMetrics metrics;
    private final IdGenerator ids;

    RequestHandler(
            RouteTable table,
            Access access,
            RequestReader reader,
            int maxBodyBytes,
            long maxHeldBytes,
            Duration bodyTimeout,
            Ends ends,
            Slots streams,
            CommandMetrics metrics,
            IdGenerator ids) {
        this.table = table;
        this.access = access;
        this.reader = reader;
        this.maxBodyBytes = maxBodyBytes;
        this.maxHeldBytes = maxHeldBytes;
        this.bodyTimeout = bodyTimeout;
        this.ends = ends;
        this.streams = streams;
        this.metrics = metrics;
        this.ids = ids;
    }

    Publisher<Void> handle(HttpServerRequest request, HttpServerResponse response) {
        Exchange exchange = new Exchange(request, response);
        return Mono.defer(exchange::answer).onErrorResume(exchange::refuse).doFinally(signal -> exchange.release());
    }

    /** One request and its answer. */
    private final class Exchange {
        private final HttpServerRequest request;
        private final HttpServerResponse response;
        private final AtomicLong held = new AtomicLong();
        private final Channel channel;
        private String route = NO_ROUTE;
        private boolean numbered;
        private volatile boolean answered;

        Exchange(HttpServerRequest request, HttpServerResponse response) {
            this.request = request;
            this.response = response;
            channel = ((ChannelOperations<?, ?>) response).channel();
        }

        Mono<Void> answer() {
            HttpHeaders headers = request.requestHeaders();
            String target = originForm(request.uri());
            String path = target.split("[?#]", 2)[0];
            RouteTable.Match match;
            Caller caller;
            try {
                match = table.match(request.method().name(), path);
                caller = access.check(headers, match.route().open());
            } catch (Problem problem) {
                // whoever may not call is not told what there is
                access.check(headers, false);
                throw problem;
            }
            Route found = match.route();
            route = found.path();
            numbered = found.numbered();
            caller.requireFor(found);
            Values query = query(target, found);
            boolean streaming = found.streams(query);
            if ((streaming || found.acts()) && isHead()) {
                // counted like any other method that a path does not take
                route = NO_ROUTE;
                throw new Problem(
                                ProblemType.METHOD_NOT_ALLOWED,
                                streaming
                                        ? "a stream of events has no end to tell the length of; use GET"
                                        : "this has an effect, which HEAD must not have; use GET")
                        .header("Allow", "GET");
            }
            Mono<Void> work = body(found)
                    .map(body -> new Call(caller, decode(match.parameters()), query, body, headers))
                    .flatMap(call -> found.handler().handle(call))
                    .flatMap(this::send);
            return streaming ? streams.hold(() -> work) : work;
        }

        private Mono<Values> body(Route found) {
            if (!found.takesBody()) {
                return Mono.just(new Values(Map.of()));
            }
            HttpHeaders headers = request.requestHeaders();
            String declared = headers.get(HttpHeaderNames.CONTENT_LENGTH);
            boolean empty =
                    declared == null ? !headers.contains(HttpHeaderNames.TRANSFER_ENCODING) : declared.equals("0");
            if (!empty || found.body().stream().anyMatch(Field::required)) {
                requireType(headers.get(HttpHeaderNames.CONTENT_TYPE), found);
            }
            if (declared != null) {
                // the codec refuses what is not a number, but not what is too large for one
                Long length = RequestReader.parseNumber(declared, 0, maxBodyBytes);
                if (length == null) {
                    throw tooLarge();
                }
            }
            return request.receive()
                    .asByteArray()
                    .collect(ByteArrayOutputStream::new, this::keep)
                    .timeout(ends.delay(bodyTimeout), Mono.error(RequestHandler::bodyTooSlow))
                    .map(body -> found.tools()
                            ? new Values(Map.of(Route.WHOLE_BODY, body.toByteArray()))
                            : reader.readBody(body.toByteArray(), found.body()));
        }

        private void keep(ByteArrayOutputStream body, byte[] chunk) {
            if (body.size() + chunk.length > maxBodyBytes) {
                throw tooLarge();
            }
            hold(chunk.length);
            body.writeBytes(chunk);
        }

        private Problem tooLarge() {
            return new Problem(
                            ProblemType.BODY_TOO_LARGE,
                            "the body has more than the " + maxBodyBytes + " bytes that are allowed")
                    .header("Connection", "close");
        }

        private void hold(long bytes) {
            held.addAndGet(bytes);
            long all = heldBytes.addAndGet(bytes);
            // what one request alone needs is allowed, whatever it is
            if (all > maxHeldBytes && all > held.get()) {
                throw Problem.busy("requests and answers under way take as many bytes as they may; try again later");
            }
        }

        void release() {
            heldBytes.addAndGet(-held.getAndSet(0));
        }

        private Mono<Void> send(Reply reply) {
            if (reply instanceof Reply.Full full) {
                hold(full.body().length);
            }
            return write(reply);
        }

        private Mono<Void> write(Reply reply) {
            answered = true;
            metrics.countRequest(methodTag(), route, reply.status());
            response.status(reply.status());
            response.header("X-Content-Type-Options", "nosniff");
            reply.headers().forEach(response::header);
            if ("close".equals(reply.headers().get("Connection"))) {
                response.keepAlive(false);
            }
            if (reply instanceof Reply.Full full) {
                return writeWhole(full);
            }
            if (reply instanceof Reply.Stream stream) {
                return writeStream(stream);
            }
            response.header(HttpHeaderNames.CONTENT_TYPE, Schemas.EVENTS + ";charset=utf-8");
            response.chunkedTransfer(true);
            Function<Reply.EventWriter, Mono<Void>> source = ((Reply.Events) reply).source();
            return response.sendHeaders()
                    .then()
                    .then(Mono.defer(() ->
                            source.apply(text -> writePiece(Unpooled.copiedBuffer(text, StandardCharsets.UTF_8)))));
        }

        private Mono<Void> writeStream(Reply.Stream stream) {
            response.header(HttpHeaderNames.CONTENT_TYPE, stream.contentType());
            response.header(HttpHeaderNames.CACHE_CONTROL, "no-store");
            if (isHead()) {
                return response.send();
            }
            if (!stream.headers().containsKey("Content-Length")) {
                response.chunkedTransfer(true);
                response.trailerHeaders(
                        trailers -> stream.trailers().get().forEach((name, value) -> trailers.set(name, value)));
            }
            return response.sendHeaders()
                    .then()
                    .then(Mono.defer(() -> stream.source().apply(bytes -> writePiece(Unpooled.wrappedBuffer(bytes)))));
        }

        private boolean isHead() {
            return request.method().name().equals("HEAD");
        }

        /** Goes past the response object, which has no way to say that one piece of several has left. */
        private Mono<Void> writePiece(ByteBuf bytes) {
            return FutureMono.deferFuture(() -> channel.writeAndFlush(new DefaultHttpContent(bytes)));
        }

        private Mono<Void> writeWhole(Reply.Full full) {
            if (full.contentType() == null) {
                return response.send();
            }
            response.header(HttpHeaderNames.CONTENT_TYPE, full.contentType());
            response.header(HttpHeaderNames.CONTENT_LENGTH, Integer.toString(full.body().length));
            response.header(HttpHeaderNames.CACHE_CONTROL, "no-store");
            if (full.body().length <= SMALL_BODY) {
                return response.sendByteArray(Mono.just(full.body())).then();
            }
            // so that the body counts as held until it has left, and not only until it was given to the connection
            return response.sendHeaders().then().then(writePiece(Unpooled.wrappedBuffer(full.body())));
        }

        /** Answers with a problem, unless an answer was begun: then the connection is ended, so that nobody takes the answer for a whole one. */
        Mono<Void> refuse(Throwable error) {
            if (error instanceof AbortedException || AbortedException.isConnectionReset(error)) {
                LOG.debug("the caller of {} {} has gone", request.method(), route, error);
                return Mono.error(error);
            }
            if (answered) {
                LOG.warn("answer of {} {} broken off", request.method(), route, error);
                return Mono.error(error);
            }
            Problem problem = problemOf(error);
            metrics.countProblem(problem.type().code());
            return write(
                    Reply.problem(numbered ? problem.with("code", problem.type().number()) : problem));
        }

        private Problem problemOf(Throwable error) {
            if (error instanceof Problem problem) {
                return problem;
            }
            if (error instanceof CommandRejectedException refusal) {
                return Refusals.problemOf(refusal);
            }
            String id = ids.next().toString();
            LOG.error("{} {} failed, error id {}", request.method(), route, id, error);
            return new Problem(
                    ProblemType.INTERNAL_ERROR,
                    "something went wrong in the server; its log has more under error id " + id);
        }

        private String methodTag() {
            String method = request.method().name();
            return KNOWN_METHODS.contains(method) ? method : "other";
        }
    }

    private static Problem bodyTooSlow() {
        return new Problem(ProblemType.REQUEST_TIMEOUT, "the body did not come in time").header("Connection", "close");
    }

    private static void requireType(@Nullable String contentType, Route found) {
        String type = contentType == null ? "" : contentType.split(";", 2)[0].strip();
        boolean orForm = found.anyType() || found.tools();
        boolean allowed = type.equalsIgnoreCase(Reply.JSON)
                || (orForm && (type.isEmpty() || type.equalsIgnoreCase(FORM)))
                || (found.tools() && YAML.contains(type.toLowerCase(Locale.ROOT)));
        if (!allowed) {
            throw new Problem(
                            ProblemType.UNSUPPORTED_MEDIA_TYPE,
                            (found.tools()
                                            ? "the body must be JSON or YAML, with Content-Type: application/json or application/yaml"
                                            : "the body must be JSON, with Content-Type: application/json")
                                    + (type.isEmpty() ? "; the header is missing" : ""))
                    .at("Content-Type");
        }
    }

    /** The path and query of a request target, of which a client may also send the absolute form (RFC 9112, section 3.2). */
    private static String originForm(String target) {
        int scheme = target.indexOf("://");
        if (target.startsWith("/") || scheme < 0) {
            return target;
        }
        int slash = target.indexOf('/', scheme + 3);
        return slash < 0 ? "/" : target.substring(slash);
    }

    private static Values query(String target, Route route) {
        Map<String, List<String>> parameters;
        try {
            parameters = new QueryStringDecoder(target).parameters();
        } catch (IllegalArgumentException e) {
            throw Problem.badUrl(e);
        }
        return RequestReader.readQuery(parameters, route.query());
    }

    private static Map<String, String> decode(Map<String, String> parameters) {
        Map<String, String> decoded = new LinkedHashMap<>();
        // several segments are one text only as long as they are encoded
        parameters.forEach((name, value) -> decoded.put(name, name.endsWith("...") ? value : Call.decode(value)));
        return decoded;
    }
}
