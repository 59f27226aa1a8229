CREATE PROCEDURE double_it @a int, @b int OUTPUT, @c nvarchar(50) OUTPUT AS
BEGIN
    SET @b = @a * 2
    SET @c = N'got ' + CAST(@a AS nvarchar(10))
    RETURN 7
END
