/** Tools and toolchains, as those see them who have them run. */
package io.github.commandway.tool.api;
