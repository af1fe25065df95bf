/** What a conversation service offers: sessions of users, one pending command in each, what was said, and what happened. */
package io.github.commandway.conversation.api;
