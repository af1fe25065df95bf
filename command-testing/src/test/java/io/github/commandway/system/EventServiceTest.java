package io.github.commandway.system;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.process.Message;
import io.github.commandway.system.EventService.Event;
import io.github.commandway.system.EventService.Send;
import io.github.commandway.system.EventService.Subscribe;
import io.github.commandway.system.EventService.Unsubscribe;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import io.github.commandway.testing.HandlerDriver.Caller;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EventServiceTest {
    private final EventService events = new EventService(3);
    private final HandlerDriver driver = new HandlerDriver(events);
    private final Caller first = driver.process(1);
    private final Caller second = driver.process(2);

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        driver.verify();
        events.close();
        assertThat(events.active()).isZero();
    }

    @ParameterizedTest
    @CsvSource({
        "registry, changed, true",
        "registry, other, false",
        "registry, *, true",
        "*, changed, true",
        "reg*, ch*ed, true",
        "*, *, true",
        "other, *, false",
        "regis, changed, false",
        "r.gistry, changed, false",
    })
    void anEventReachesWhoeverSubscribedToItsSubject(String system, String kind, boolean reached) {
        first.call(new Subscribe(system, kind, "events"));
        Call sent = second.call(Send.of("registry", "changed", "entry/1", 5));
        assertThat(sent.result()).isEqualTo(reached ? 1 : 0);
        assertThat(first.messages())
                .isEqualTo(
                        reached
                                ? List.of(new Message(null, "events", new Event("registry", "changed", "entry/1", 5)))
                                : List.of());
    }

    @Test
    void twoProcessesMayUseOneTopicAndOneMayEnd() {
        first.call(new Subscribe("s", "k", "topic"));
        second.call(new Subscribe("s", "k", "topic"));
        assertThat(first.call(Send.of("s", "k", "", null)).result()).isEqualTo(2);
        first.end();
        events.ended(first.pid());
        assertThat(events.active()).isEqualTo(1);
        assertThat(second.call(Send.of("s", "k", "", null)).result()).isEqualTo(1);
        assertThat(events.dropped()).isZero();
        assertThat(second.messages()).hasSize(2);
    }

    @Test
    void nothingComesAfterUnsubscribing() {
        Long exact = (Long) first.call(new Subscribe("s", "k", "topic")).result();
        Long pattern = (Long) first.call(new Subscribe("s", "*", "topic")).result();
        assertThat(exact).isNotNull();
        assertThat(pattern).isNotNull();
        assertThat(first.call(new Unsubscribe(exact)).result()).isEqualTo(true);
        assertThat(first.call(new Unsubscribe(exact)).result()).isEqualTo(false);
        first.call(new Unsubscribe(pattern));
        assertThat(first.call(Send.of("s", "k", "", null)).result()).isEqualTo(0);
    }

    @Test
    void thereAreNoMoreSubscriptionsThanMay() {
        for (int i = 0; i < 3; i++) {
            first.call(new Subscribe("s", "k", "topic"));
        }
        assertThat(first.call(new Subscribe("s", "k", "topic")).error()).isInstanceOf(RejectedExecutionException.class);
        events.ended(first.pid());
        assertThat(first.call(new Subscribe("s", "k", "topic")).result()).isNotNull();
    }

    @Test
    void anEventThatAMailboxHasNoRoomForIsCounted() {
        first.call(new Subscribe("s", "k", "topic"));
        driver.limitMailboxes(1);
        second.call(Send.of("s", "k", "1", null));
        assertThat(second.call(Send.of("s", "k", "2", null)).result()).isEqualTo(0);
        assertThat(events.dropped()).isEqualTo(1);
    }

    @Test
    void aSubscriptionWhoseCommandIsCancelledIsNotKept() {
        Call subscribed = first.call(new Subscribe("s", "*", "topic"));
        subscribed.cancel(CancelCause.SHUTDOWN);
        assertThat(events.active()).isZero();
        assertThat(second.call(Send.of("s", "k", "", null)).result()).isEqualTo(0);
    }

    @Test
    void aStoppedServiceRefuses() {
        events.close();
        assertThat(first.call(new Subscribe("s", "k", "t")).error()).isInstanceOf(RejectedExecutionException.class);
        assertThat(first.call(Send.of("s", "k", "", null)).error()).isInstanceOf(IllegalStateException.class);
    }
}
