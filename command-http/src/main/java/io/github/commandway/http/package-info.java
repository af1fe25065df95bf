/** The HTTP facade: commands in, outcomes and events out. {@link io.github.commandway.http.HttpFacade} is the way in. */
package io.github.commandway.http;
