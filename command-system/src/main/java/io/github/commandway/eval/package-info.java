/** Expressions and WebAssembly modules of strangers, run where they can reach nothing. */
package io.github.commandway.eval;
