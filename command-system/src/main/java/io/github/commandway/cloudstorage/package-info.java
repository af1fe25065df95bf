/** Objects under keys, in anything that speaks S3 or in a folder, as commands. */
package io.github.commandway.cloudstorage;
