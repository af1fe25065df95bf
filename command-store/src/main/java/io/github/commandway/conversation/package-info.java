/** Conversations in the tables of a {@link io.github.commandway.store.Database}. */
package io.github.commandway.conversation;
