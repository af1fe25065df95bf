package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** What all other tests of this module together must have seen. It is the last of them, and holds only when all have run. */
@Order(Integer.MAX_VALUE)
class EveryAnswerTest {
    @Test
    void isDeclaredByTheRouteThatGaveIt() {
        assertThat(Answers.ALL.undeclared()).isEmpty();
    }

    @Test
    void thatARouteDeclaresIsSeen() {
        assertThat(Answers.ALL.unseen()).isEmpty();
        assertThat(Answers.ALL.unseenCommon()).isEmpty();
    }

    @Test
    void thatIsAProblemHasATypeOfWhichThereIsATest() {
        assertThat(Answers.ALL.problems())
                .containsExactlyInAnyOrderElementsOf(Arrays.stream(ProblemType.values())
                        .map(ProblemType::code)
                        .toList());
    }
}
