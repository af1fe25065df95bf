/** What can be done about events that could not be delivered. */
package io.github.commandway.outbox.api;
