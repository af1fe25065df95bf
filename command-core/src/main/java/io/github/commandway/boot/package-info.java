/** Putting a system together: components that are loaded and started in the order of what they depend on, and services that are started again when they fail. */
package io.github.commandway.boot;
