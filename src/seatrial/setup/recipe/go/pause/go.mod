module seatrial.dev/recipe/pause

go 1.26
