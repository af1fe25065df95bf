package io.github.commandway.http;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.timeout.IdleState;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Closes a connection whose peer keeps it busy with nothing: the headers of a request take too long to come, however steadily they trickle,
 * or what was written is not taken. When a connection is closed behind an answer to a request that is still being sent, such as one that is too large, the rest of it is read and dropped for a
 * while, since closing at once would take the answer from the peer (RFC 9112, section 9.6). Stands behind the HTTP codec; an {@link io.netty.handler.timeout.IdleStateHandler} before it reports stalled writes.
 */
final class ConnectionGuard extends ChannelDuplexHandler {
    private static final long LINGER_SECONDS = 5;

    private final Duration headerTimeout;
    private @Nullable Future<?> headerDeadline;
    private boolean readingBody;
    private boolean gotMessage;
    private int unanswered;
    private boolean lingering;

    ConnectionGuard(Duration headerTimeout) {
        this.headerTimeout = headerTimeout;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        if (context.channel().isActive()) {
            startDeadline(context);
        }
    }

    @Override
    public void channelActive(ChannelHandlerContext context) throws Exception {
        startDeadline(context);
        super.channelActive(context);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) throws Exception {
        gotMessage = true;
        if (lingering) {
            ReferenceCountUtil.release(message);
            if (message instanceof LastHttpContent) {
                context.close();
            }
            return;
        }
        if (message instanceof HttpRequest) {
            stopDeadline();
            readingBody = true;
            unanswered++;
        }
        if (message instanceof LastHttpContent) {
            readingBody = false;
        }
        super.channelRead(context, message);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) throws Exception {
        // bytes that made no message are the beginning of headers
        if (!gotMessage && !readingBody && unanswered == 0) {
            startDeadline(context);
        }
        gotMessage = false;
        super.channelReadComplete(context);
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) throws Exception {
        if (message instanceof LastHttpContent && unanswered > 0) {
            unanswered--;
        }
        super.write(context, message, promise);
    }

    @Override
    public void close(ChannelHandlerContext context, ChannelPromise promise) throws Exception {
        if (!readingBody || unanswered > 0 || lingering || !(context.channel() instanceof DuplexChannel channel)) {
            super.close(context, promise);
            return;
        }
        lingering = true;
        channel.closeFuture().addListener(closed -> promise.trySuccess());
        channel.shutdownOutput();
        channel.config().setAutoRead(true);
        Future<?> limit = context.executor().schedule(() -> context.close(), LINGER_SECONDS, TimeUnit.SECONDS);
        channel.closeFuture().addListener(closed -> limit.cancel(false));
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) throws Exception {
        if (event instanceof IdleStateEvent idle && idle.state() == IdleState.WRITER_IDLE) {
            ChannelOutboundBuffer pending = context.channel().unsafe().outboundBuffer();
            if (pending != null && pending.totalPendingWriteBytes() > 0) {
                context.close();
            }
            return;
        }
        super.userEventTriggered(context, event);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        stopDeadline();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
        stopDeadline();
        super.channelInactive(context);
    }

    private void startDeadline(ChannelHandlerContext context) {
        if (headerDeadline == null) {
            headerDeadline =
                    context.executor().schedule(() -> context.close(), headerTimeout.toNanos(), TimeUnit.NANOSECONDS);
        }
    }

    private void stopDeadline() {
        if (headerDeadline != null) {
            headerDeadline.cancel(false);
            headerDeadline = null;
        }
    }
}
