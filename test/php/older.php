<?php
// What PHP deprecates: an object whose encoding only its class can read.

class Old implements Serializable
{
    public function serialize()
    {
        return serialize(['kept' => [1, 2]]);
    }

    public function unserialize($text)
    {
        unserialize($text);
    }
}
