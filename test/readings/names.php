<?php
// Prints the names of the cookies that PHP found in the request.
echo json_encode(array_map('strval', array_keys($_COOKIE)), JSON_INVALID_UTF8_SUBSTITUTE);
