package io.github.commandway.eval;

import org.jspecify.annotations.Nullable;

/** What was compiled. Run by many threads at once. */
interface Program {
    @Nullable Object run(EvalService.Run run) throws Exception;
}
