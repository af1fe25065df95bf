package io.github.commandway.conversation;

import java.util.UUID;
import java.util.concurrent.CompletableFuture;

/** Says who may enter a session. Safe for use by many threads. */
@FunctionalInterface
public interface ConversationAccessControl {
    /**
     * Whether the session is there and the user may read it and give commands in it; must not block.
     *
     * @return if it fails, the call that asked fails as one that the store could not do
     */
    CompletableFuture<Boolean> verifySessionAccess(String userId, UUID sessionId);
}
