package io.github.commandway.bench;

import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.EventBus;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.AbstractActor;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.Props;
import org.apache.pekko.pattern.Patterns;
import org.axonframework.commandhandling.GenericCommandMessage;
import org.axonframework.commandhandling.SimpleCommandBus;
import org.jspecify.annotations.Nullable;
import scala.concurrent.Future;

/** Others that hand a command to a handler and go on with its answer, on one thread. Each makes a number of round trips one after the other and returns when the last is over. */
final class ProcessPeers {
    private static final String ADDRESS = "echo";

    private ProcessPeers() {}

    /** Waits for the end of a run. */
    static void await(CountDownLatch latch) throws InterruptedException {
        if (!latch.await(60, TimeUnit.SECONDS)) {
            throw new IllegalStateException("the run has not ended");
        }
    }

    /** Vert.x: request and reply on the event bus, both ends on one event loop. */
    static final class VertxPeer {
        private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
        private final EventBus bus = vertx.eventBus();
        private final Context context = vertx.getOrCreateContext();

        VertxPeer() {
            context.runOnContext(nothing -> bus.consumer(ADDRESS, message -> message.reply(message.body())));
        }

        void run(int count) throws InterruptedException {
            CountDownLatch over = new CountDownLatch(1);
            context.runOnContext(nothing -> next(count, over));
            await(over);
        }

        private void next(int left, CountDownLatch over) {
            if (left == 0) {
                over.countDown();
                return;
            }
            bus.request(ADDRESS, ADDRESS).onComplete(answer -> next(left - 1, over));
        }

        void close() throws InterruptedException {
            CountDownLatch closed = new CountDownLatch(1);
            vertx.close().onComplete(done -> closed.countDown());
            await(closed);
        }
    }

    /** Axon: the simple command bus, which handles in the thread that dispatches. */
    static final class AxonPeer {
        private final SimpleCommandBus bus = SimpleCommandBus.builder().build();
        private long answers;

        AxonPeer() {
            bus.subscribe(ADDRESS, message -> message.getPayload());
        }

        void run(int count) {
            long before = answers;
            for (int i = 0; i < count; i++) {
                bus.dispatch(
                        new GenericCommandMessage<>(GenericCommandMessage.asCommandMessage(ADDRESS), ADDRESS),
                        (command, result) -> answers++);
            }
            if (answers - before != count) {
                throw new IllegalStateException("an answer is missing");
            }
        }
    }

    /** Pekko: ask, from an actor to another one, whose answer is piped to the first, on a dispatcher with one thread. */
    static final class PekkoPeer {
        private final ActorSystem system;
        private final ActorRef asker;

        PekkoPeer() {
            system = ActorSystem.create(
                    "bench",
                    com.typesafe.config.ConfigFactory.parseString("""
                                    pekko.log-dead-letters = off
                                    pekko.actor.default-dispatcher {
                                      executor = "thread-pool-executor"
                                      thread-pool-executor.fixed-pool-size = 1
                                    }
                                    """)
                            .withFallback(com.typesafe.config.ConfigFactory.load()));
            ActorRef echo = system.actorOf(Props.create(Echo.class, Echo::new));
            asker = system.actorOf(Props.create(Asker.class, () -> new Asker(echo)));
        }

        void run(int count) throws InterruptedException {
            Run run = new Run(count, new CountDownLatch(1));
            asker.tell(run, ActorRef.noSender());
            await(run.over);
        }

        void close() {
            system.terminate();
        }

        private record Run(int count, CountDownLatch over) {}

        private static final class Echo extends AbstractActor {
            @Override
            public Receive createReceive() {
                return receiveBuilder()
                        .matchAny(message -> getSender().tell(message, getSelf()))
                        .build();
            }
        }

        private static final class Asker extends AbstractActor {
            private static final long TIMEOUT_MILLIS = 30_000;

            private final ActorRef echo;
            private @Nullable CountDownLatch over;
            private int left;

            Asker(ActorRef echo) {
                this.echo = echo;
            }

            @Override
            public Receive createReceive() {
                return receiveBuilder()
                        .match(Run.class, run -> {
                            left = run.count;
                            over = run.over;
                            next();
                        })
                        .matchAny(answer -> next())
                        .build();
            }

            private void next() {
                CountDownLatch latch = over;
                if (left-- > 0) {
                    // not the stage of the Java API, of which the callbacks run in yet another thread
                    Future<Object> answer = Patterns.ask(echo, ADDRESS, TIMEOUT_MILLIS);
                    Patterns.pipe(answer, getContext().getDispatcher()).to(getSelf());
                } else if (latch != null) {
                    latch.countDown();
                }
            }
        }
    }
}
