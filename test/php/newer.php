<?php
// What PHP 8.1 and later can say, and older versions cannot read.

enum Suit: string
{
    case Hearts = 'h';
}

enum Answer
{
    case Yes;
}

class Point
{
    public readonly array $at;

    public function __construct(public readonly Suit $suit, private readonly float $x)
    {
        $this->at = ['x' => $x];
    }
}

/** An object that encodes itself, which is the way since Serializable is deprecated. */
class Parcel
{
    private $content = "\xff";

    public function __serialize(): array
    {
        return ['content' => $this->content, 'answer' => Answer::Yes];
    }

    public function __unserialize(array $data): void
    {
        $this->content = $data['content'];
    }
}

function newer(): array
{
    return ['suit' => Suit::Hearts, 'point' => new Point(Suit::Hearts, 0.1 + 0.2), 'parcel' => new Parcel, 'several' => [Answer::Yes, Answer::Yes]];
}
