-- Where a task is: 'here', in a lane's queue, running or ended on this platform; 'sending', on its way to the worker of its
-- workspace, under an id that nobody was told; 'sent', accepted by that worker, under the id 'workspace::id'.
-- One that ends on its way is 'here' and keeps the workspace that it was meant for.
ALTER TABLE task ADD COLUMN place TEXT NOT NULL DEFAULT 'here'
    CHECK (place IN ('here', 'sending', 'sent'))
    CHECK (place = 'here' OR workspace IS NOT NULL)
    CHECK (place <> 'sending' OR status = 'pending');
UPDATE task SET place = 'sent' WHERE workspace IS NOT NULL AND instr(id, '::') > 0;
UPDATE task SET place = 'sending' WHERE workspace IS NOT NULL AND instr(id, '::') = 0 AND status = 'pending';
CREATE INDEX task_sending ON task (seq) WHERE place = 'sending';
CREATE TRIGGER task_stays_in_its_place BEFORE UPDATE OF place ON task
WHEN OLD.place <> 'sending' AND NEW.place <> OLD.place
BEGIN
    SELECT RAISE(ABORT, 'a task does not leave its place');
END;
