// Command syntic captions pictures, detects objects, embeds pictures and texts,
// and measures and checks itself, on an engine of its own. `syntic help` lists
// the commands.
package main
