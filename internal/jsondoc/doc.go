// Package jsondoc holds the JSON of a session: it reads it, patches it and finds fields in it.
//
// A [Value] is its own canonical text: compact ASCII JSON, in which equal strings are equal bytes
// and every number keeps its digits. So reading takes one pass and mostly one copy, the size is
// known, what a change leaves alone is copied whole, and nothing that anybody holds ever changes.
// Only a JSON Patch takes a document apart, and only along the paths that it names.
//
// No error quotes the JSON, nor a path that came with it: session data stay out of logs.
package jsondoc
